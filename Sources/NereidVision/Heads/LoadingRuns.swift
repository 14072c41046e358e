// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// The runs with which a model is loaded: they warm it up and show what its outputs hold.
struct LoadingRuns {
    /// The outputs of the first run.
    let outputs: [Tensor]
    /// The head that reads them.
    let recognised: HeadRecognition.Recognised

    /// Runs the graph with a black and a textured picture, and finds the head. Pixels of the textured one are 0…1; if then
    /// more than one head fits, it is run with 0…255 too.
    ///
    /// - Throws: as ``HeadRecognition/head(for:asked:model:)``; the engine's error when a run fails.
    static func run(
        _ session: any Session,
        input: RawInput,
        size: PixelSize,
        configuration: VisionModelConfiguration,
        fileLabelCount: Int?,
        imaging: ImagingPool,
        model: String
    ) async throws -> LoadingRuns {
        let batch = input.fixedBatch ?? 1
        let shape =
            input.layout == .planar ? [batch, 3, size.height, size.width] : [batch, size.height, size.width, 3]
        let outputs = try await session.warmUp(inputShapes: [shape]).outputs
        var evidence = HeadEvidence(
            graph: session.graph,
            outputs: outputs,
            input: size,
            configuration: configuration,
            fileLabelCount: fileLabelCount
        )
        evidence.batch = batch
        // Graphs that Nereid made say what they are.
        if evidence.layout == nil {
            let picture = try await imaging.run {
                try LoadingPicture.tensor(for: input, batch: batch, size: size, greatest: 1)
            }
            evidence.runs.append(try await session.run([picture]).outputs)
        }
        let found = HeadRecognition.result(for: evidence, asked: configuration.head, model: model)
        guard case .failure(.ambiguousHead) = found, input.elementType != .uint8 else {
            return LoadingRuns(outputs: outputs, recognised: try found.get())
        }
        let picture = try await imaging.run {
            try LoadingPicture.tensor(for: input, batch: batch, size: size, greatest: 255)
        }
        evidence.runs.append(try await session.run([picture]).outputs)
        return LoadingRuns(
            outputs: outputs,
            recognised: try HeadRecognition.head(for: evidence, asked: configuration.head, model: model)
        )
    }
}

extension HeadEvidence {
    /// What a graph says of itself, what its first run gave, and what the settings say.
    fileprivate init(
        graph: GraphDescription,
        outputs: [Tensor],
        input: PixelSize,
        configuration: VisionModelConfiguration,
        fileLabelCount: Int?
    ) {
        self.init(
            outputs: zip(graph.outputs, outputs).map { described, tensor in
                Output(name: described.name, shape: tensor.shape, elementType: tensor.elementType)
            },
            input: input,
            labelCount: fileLabelCount,
            task: graph.metadata["task"].flatMap(VisionTask.init) ?? configuration.task,
            metadata: graph.metadata
        )
        inputNames = graph.inputs.map(\.name)
        givenLabelCount = configuration.labels?.count
        runs = [outputs]
    }
}
