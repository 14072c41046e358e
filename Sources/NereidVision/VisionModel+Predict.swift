// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging
public import NereidInference

extension VisionModel {
    /// What the model sees in each of these pictures, in their order.
    ///
    /// Pictures whose fitted size is the same go through the engine together, up to ``maxBatch`` at a time.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, which also ends a run that has begun; the engine's error
    ///   when a run fails.
    public func predict(_ pictures: [Picture], options: PredictionOptions = .init()) async throws -> [Prediction] {
        try await predict(pictures.map { ($0, options) })
    }

    /// What the model sees in each of these pictures, each with options of its own.
    ///
    /// - Throws: as ``predict(_:options:)``.
    public func predict(_ requests: [(picture: Picture, options: PredictionOptions)]) async throws -> [Prediction] {
        if !input.scales.isEmpty {
            var predictions: [Prediction] = []
            for request in requests {
                predictions.append(try await predictAtScales(request.picture, request.options))
            }
            return predictions
        }
        let letterboxes = requests.map { input.letterbox(for: $0.picture.size) }
        var predictions = [Prediction?](repeating: nil, count: requests.count)
        let groups = Dictionary(grouping: requests.indices) { letterboxes[$0].input }
        for (size, members) in groups.sorted(by: { $0.value[0] < $1.value[0] }) {
            for start in stride(from: 0, to: members.count, by: maxBatch) {
                let batch = members[start..<min(start + maxBatch, members.count)]
                let answers = try await run(
                    batch.map { (requests[$0].picture, letterboxes[$0], requests[$0].options) },
                    size
                )
                for (index, answer) in zip(batch, answers) { predictions[index] = answer }
            }
        }
        return predictions.compactMap(\.self)
    }

    /// One run of the engine over pictures that fit the same input size.
    func run(
        _ batch: [(picture: Picture, letterbox: Letterbox, options: PredictionOptions)],
        _ size: PixelSize
    ) async throws -> [Prediction] {
        let clock = ContinuousClock()
        let begun = clock.now
        let tensor = try await imaging.run { [self] in try fill(batch.map { ($0.picture, $0.letterbox) }, size) }
        let filled = clock.now
        let run = try await session.run([tensor])
        if let stages {
            return try await predictions(of: batch, in: stages, after: run, letterbox: filled - begun)
        }
        let answered = clock.now
        // Masks are work for milliseconds each; boxes are read while others wait.
        let readings =
            task == .segment
            ? try await imaging.run { [self] in try read(run.outputs, batch) }
            : try read(run.outputs, batch)
        let postprocessing = (clock.now - answered) / max(batch.count, 1)
        return zip(batch, readings).map { request, reading in
            Prediction(
                task: task,
                detections: reading.detections,
                classifications: reading.classifications,
                picture: request.picture.size,
                timing: .init(
                    letterbox: filled - begun,
                    waited: run.waited,
                    inference: run.ran,
                    postprocessing: postprocessing
                )
            )
        }
    }

    private func read(
        _ outputs: [Tensor],
        _ batch: [(picture: Picture, letterbox: Letterbox, options: PredictionOptions)]
    ) throws -> [Reading] {
        try batch.enumerated().map { index, request in
            try read(outputs, at: index, request.letterbox, request.options)
        }
    }

    /// The tensor that the engine gets for a picture, for measuring the engine alone. Blocks its thread for milliseconds.
    ///
    /// - Throws: `ImagingError` when the picture can't be fitted.
    public func tensor(for picture: Picture) throws -> Tensor {
        let letterbox = input.letterbox(for: picture.size)
        return try fill([(picture, letterbox)], letterbox.input)
    }

    /// The input tensor of a batch. Where the graph fixes the batch, what is left over stays zero.
    private func fill(_ batch: [(Picture, Letterbox)], _ size: PixelSize) throws -> Tensor {
        let bytes = input.encoding.byteCount(for: size)
        return try Tensor(
            input.elementType,
            shape: input.shape(batch: input.fixedBatch ?? batch.count, size: size)
        ) { memory in
            for (index, (picture, letterbox)) in batch.enumerated() {
                try letterbox.render(picture, as: input.encoding, into: &memory, at: index * bytes)
            }
        }
    }
}
