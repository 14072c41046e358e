// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

/// What Detectron2 computes from a checkpoint: `reference/detectron2/*.json` of the shared folder, whose README.md says how
/// each number was made.
struct Detectron2Reference: Decodable {
    let fixedInput: FixedInput
    let settings: Settings
    let runs: [Run]

    struct Settings: Decodable {
        let pixelMean: [Float]
        let pixelStd: [Float]
    }

    /// The network alone, on a picture that needs no decoding.
    struct FixedInput: Decodable {
        let file: String
        let features: [String: Feature]
        let rawFile: String
        let rawRowStep: Int?
        let rawRowsFull: Int?
        let proposals: Proposals?
    }

    struct Feature: Decodable {
        let shape: [Int]
        let mean: Float
        let std: Float
        let first: [Float]
        let last: [Float]
    }

    struct Proposals: Decodable {
        let n: Int
        /// Corners and logit of the best.
        let first: [[Float]]
    }

    /// One photo in one mode.
    struct Run: Decodable {
        let photo: String
        let mode: String
        let resizedHw: [Int]?
        let paddedBatchHw: [Int]?
        let scales: [Scale]?
        let detections: [Expected]
        let mayAppear: [Possible]?
    }

    struct Scale: Decodable {
        let resizedHw: [Int]
    }

    struct Expected: Decodable {
        let boxXyxy: [Float]
        let score: Float
        let classId: Int
        let className: String
        let stable: Bool
        /// Run lengths along the rows of the photo, outside first.
        let maskRle: [Int]?
    }

    struct Possible: Decodable {
        let boxXyxy: [Float]
        let score: Float
        let classId: Int
    }
}

/// A checkpoint of Detectron2 in the shared folder, with its configuration and reference results.
struct Detectron2Sample: Sendable, CustomTestStringConvertible {
    let weights: String
    let configuration: String
    let reference: String

    init(_ name: String, weights: String? = nil, configuration: String? = nil) {
        reference = "\(name).json"
        self.weights = weights ?? "\(name)_model_final.pth"
        self.configuration = configuration ?? "\(name)_config.yaml"
    }

    var testDescription: String { weights }

    static let retinaNet = Detectron2Sample("retinanet_tiny", configuration: "retinanet_tiny_seed_style.yaml")
    static let legacy = Detectron2Sample(
        "retinanet_tiny",
        weights: "retinanet_tiny_model_final_legacy.pth",
        configuration: "retinanet_tiny_seed_style.yaml"
    )
    static let fasterRCNN = Detectron2Sample("faster_rcnn_tiny")
    static let maskRCNN = Detectron2Sample("mask_rcnn_tiny")
    static let all = [retinaNet, legacy, fasterRCNN, maskRCNN]

    func results() throws -> Detectron2Reference {
        try SharedFolder.json(Detectron2Reference.self, "reference/detectron2/\(reference)")
    }

    func converted(featureOutputs: Bool = false) throws -> Detectron2Graphs {
        let folder = "reference/detectron2/"
        return try Detectron2Converter.convert(
            Checkpoint(path: SharedFolder.path(folder + weights)),
            configuration: Detectron2Configuration(path: SharedFolder.path(folder + configuration)),
            featureOutputs: featureOutputs
        )
    }

    func model(_ configure: (inout VisionModelConfiguration) -> Void = { _ in }) async throws -> VisionModel {
        try await Fixtures.model(try converted(), name: weights, configure)
    }
}

extension Fixtures {
    /// Loads the graphs of a Detectron2 network.
    static func model(
        _ graphs: Detectron2Graphs,
        name: String,
        _ configure: (inout VisionModelConfiguration) -> Void = { _ in }
    ) async throws -> VisionModel {
        let sources = try sources(of: graphs, name: name)
        return try await model(sources.network, stages: sources.stages, configure)
    }

    static func sources(
        of graphs: Detectron2Graphs,
        name: String
    ) throws -> (network: GraphSource, stages: [String: GraphSource]) {
        var stages: [String: GraphSource] = [:]
        for (stage, graph) in graphs.named where !stage.isEmpty {
            stages[stage] = GraphSource(name: "\(name).\(stage)", content: .bytes(try graph.bytes()))
        }
        return (GraphSource(name: name, content: .bytes(try graphs.network.bytes())), stages)
    }
}
