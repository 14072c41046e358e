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
        try await answers(to: requests).map { try $0.get() }
    }

    /// What the model sees in each of these pictures, each with options of its own, or why there is no answer for one of them.
    ///
    /// - Parameter maskPixels: the most pixels of the masks of one picture, counted by their boxes; see
    ///   ``VisionError/masksTooLarge(model:objects:pixels:limit:)``. Default: ``defaultMaskPixels``.
    /// - Throws: as ``predict(_:options:)``, for what concerns all pictures.
    public func answers(
        to requests: [(picture: Picture, options: PredictionOptions)],
        maskPixels: Int = VisionModel.defaultMaskPixels
    ) async throws -> [Result<Prediction, any Error>] {
        if !input.scales.isEmpty {
            var predictions: [Result<Prediction, any Error>] = []
            for request in requests {
                predictions.append(try await predictAtScales(request.picture, request.options, maskPixels))
            }
            return predictions
        }
        let letterboxes = requests.map { input.letterbox(for: $0.picture.size) }
        var predictions = [Result<Prediction, any Error>?](repeating: nil, count: requests.count)
        let groups = Dictionary(grouping: requests.indices) { letterboxes[$0].input }
        for (size, members) in groups.sorted(by: { $0.value[0] < $1.value[0] }) {
            for start in stride(from: 0, to: members.count, by: maxBatch) {
                let batch = members[start..<min(start + maxBatch, members.count)]
                let answers = try await run(
                    batch.map { (requests[$0].picture, letterboxes[$0], requests[$0].options) },
                    size,
                    maskPixels
                )
                for (index, answer) in zip(batch, answers) { predictions[index] = answer }
            }
        }
        return predictions.compactMap(\.self)
    }

    /// The most pixels of the masks of one picture, counted by their boxes: 1,000,000,000. Setting: `max_mask_pixels`.
    public static let defaultMaskPixels = 1_000_000_000

    /// With more candidates than this, suppression takes too long for a thread that others need too.
    static let mostQuickCandidates = 2048

    /// One run of the engine over pictures that fit the same input size.
    func run(
        _ batch: [Fitted],
        _ size: PixelSize,
        _ maskPixels: Int
    ) async throws -> [Result<Prediction, any Error>] {
        let clock = ContinuousClock()
        let begun = clock.now
        let tensor = try await imaging.run(for: name) { [self] limit in
            try fill(batch.map { ($0.picture, $0.letterbox) }, size, limit)
        }
        let filled = clock.now
        let run = try await session.run([tensor])
        if let stages {
            return try await predictions(of: batch, in: stages, after: run, letterbox: filled - begun, maskPixels)
        }
        let answered = clock.now
        let readings = try await read(run.outputs, batch, maskPixels)
        let postprocessing = (clock.now - answered) / max(batch.count, 1)
        return zip(batch, readings).map { request, reading in
            reading.map { reading in
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
    }

    /// What the outputs say of each picture.
    ///
    /// Masks are work for milliseconds each, and many candidates take as long to be compared: that happens on the threads of
    /// imaging. A few boxes are read at once.
    private func read(
        _ outputs: [Tensor],
        _ batch: [Fitted],
        _ maskPixels: Int
    ) async throws -> [Result<Reading, any Error>] {
        let candidates = batch.enumerated().map { index, request in
            Result { try self.candidates(in: outputs, at: index, request.letterbox, request.options) }
        }
        @Sendable func read(_ limit: WorkLimit) throws -> [Result<Reading, any Error>] {
            try batch.enumerated().map { index, request in
                try limit.check()
                let place = Place(index: index, letterbox: request.letterbox, options: request.options)
                return try Result<Reading, any Error>.unlessStopped {
                    try self.read(outputs, place, candidates[index].get(), limit, maskPixels)
                }
            }
        }
        let most = candidates.compactMap { try? $0.get().count }.max() ?? 0
        guard task == .segment || most > Self.mostQuickCandidates else { return try read(.unlimited) }
        return try await imaging.run(for: name, read)
    }

    /// The tensor that the engine gets for a picture, for measuring the engine alone. Blocks its thread for milliseconds.
    ///
    /// - Throws: `ImagingError` when the picture can't be fitted.
    public func tensor(for picture: Picture) throws -> Tensor {
        let letterbox = input.letterbox(for: picture.size)
        return try fill([(picture, letterbox)], letterbox.input, .unlimited)
    }

    /// The input tensor of a batch. Where the graph fixes the batch, what is left over stays zero.
    private func fill(_ batch: [(Picture, Letterbox)], _ size: PixelSize, _ limit: WorkLimit) throws -> Tensor {
        let bytes = input.encoding.byteCount(for: size)
        return try Tensor(
            input.elementType,
            shape: input.shape(batch: input.fixedBatch ?? batch.count, size: size)
        ) { memory in
            for (index, (picture, letterbox)) in batch.enumerated() {
                try letterbox.render(picture, as: input.encoding, into: &memory, at: index * bytes, limit: limit)
            }
        }
    }
}

extension Result where Failure == any Error {
    /// What a closure returns or throws, but for the end of its time, which concerns everything that is done with it.
    ///
    /// - Throws: `ImagingError.cancelled`, `ImagingError.deadlinePassed`.
    static func unlessStopped(_ body: () throws -> Success) throws(ImagingError) -> Self {
        do {
            return .success(try body())
        } catch let error as ImagingError where error == .cancelled || error == .deadlinePassed {
            throw error
        } catch {
            return .failure(error)
        }
    }
}
