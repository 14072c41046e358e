// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// A layout of outputs that Nereid recognises and does not serve, so that it is refused by its name instead of being read as
/// another.
///
/// One file for each; the registry is ``all``.
struct ForeignLayout: Sendable {
    /// The framework or the kind of export.
    let name: String
    /// What the owner of the file can do.
    let advice: String
    /// The sign by which it is known, in words; `nil` when the evidence does not show it.
    let sign: @Sendable (HeadEvidence) -> String?

    /// All of them: those that names tell before those that shapes and values tell.
    static let all: [ForeignLayout] = [
        .tensorFlow, .yolov7TensorRT, .paddleDetection, .rtdetr, .mmdeploy, .rfdetr, .transformers, .yoloNAS,
        .torchvision,
        .deepStreamOutputs, .secondInput, .yoloNASRows, .ppyoloe, .queries, .boxesAndScores, .yolov5Face, .nanoDet,
        .rawMaps,
        .semanticSegmentation,
    ]

    /// The first that the evidence shows, with its sign.
    static func recognised(_ evidence: HeadEvidence) -> (layout: ForeignLayout, sign: String)? {
        for layout in all {
            if let sign = layout.sign(evidence) { return (layout, sign) }
        }
        return nil
    }

    /// The error with which a model of this kind is refused.
    static func refusal(_ evidence: HeadEvidence, model: String) -> VisionError? {
        recognised(evidence).map {
            .unsupportedLayout(model: model, layout: $0.layout.name, because: $0.sign, advice: $0.layout.advice)
        }
    }
}

extension HeadEvidence {
    /// What a graph says before it is run: names, kinds of numbers, and the dimensions that it fixes.
    init(declaredBy graph: GraphDescription) {
        self.init(
            outputs: graph.outputs.map { output in
                let shape = output.shape.map { dimension in
                    if case .fixed(let length) = dimension { length } else { -1 }
                }
                return Output(name: output.name, shape: shape, elementType: output.elementType)
            },
            input: .init(width: 1, height: 1),
            labelCount: nil,
            metadata: graph.metadata
        )
        inputNames = graph.inputs.map(\.name)
    }

    /// Whether there is an output of each of these names, and how many others there may be.
    func hasOutputs(_ names: String..., others: Int = 0) -> Bool {
        let present = Set(outputs.map(\.name))
        return present.isSuperset(of: names) && outputs.count <= names.count + others
    }

    /// The output with this name.
    func output(_ name: String) -> Output? { outputs.first { $0.name == name } }

    /// Whether the graph has been run.
    var isRun: Bool { !runs.isEmpty }

    /// Two floating-point outputs of three dimensions, of which one has rows of four values.
    ///
    /// - Returns: the places of the boxes and of the other.
    func boxesAndOthers() -> (boxes: Int, others: Int)? {
        guard isRun, outputs.count == 2, outputs.allSatisfy({ $0.isReal && $0.shape.count == 3 }) else { return nil }
        let places = outputs.indices.filter { outputs[$0].shape[2] == 4 }
        guard let boxes = places.first(where: { outputs[$0].name.contains("box") }) ?? places.first else { return nil }
        return (boxes, 1 - boxes)
    }
}
