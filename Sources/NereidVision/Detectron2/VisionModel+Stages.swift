// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

extension VisionModel {
    /// What was asked of one picture in a batch.
    typealias Fitted = (picture: Picture, letterbox: Letterbox, options: PredictionOptions)

    /// Goes on from the first stage of a network to its answers.
    func predictions(
        of batch: [Fitted],
        in stages: RegionStages,
        after first: SessionRun,
        letterbox: Duration,
        _ maskPixels: Int
    ) async throws -> [Result<Prediction, any Error>] {
        let clock = ContinuousClock()
        let begun = clock.now
        var engine = Prediction.Timing(letterbox: letterbox, waited: .zero, inference: .zero, postprocessing: .zero)
        func count(_ run: SessionRun) {
            engine.waited += run.waited
            engine.inference += run.ran
        }
        var detections = [[Detection]](repeating: [], count: batch.count)
        var refusals: [Int: VisionError] = [:]
        do {
            let proposals = try await imaging.run(for: name) { limit in
                try batch.enumerated().map { index, request in
                    try stages.head.proposals(
                        in: first.outputs,
                        picture: index,
                        content: request.letterbox.content,
                        limit: limit
                    )
                }
            }
            let regions = proposals.enumerated().flatMap { picture, boxes in boxes.map { (picture, $0) } }
            if !regions.isEmpty {
                let answers = try await stages.classify(regions, first.outputs)
                count(answers.run)
                let found = try await imaging.run(for: name) { [self] limit in
                    try objects(in: answers, proposals, batch, stages, limit)
                }
                detections = zip(found, batch).map { candidates, request in
                    candidates.map { detection($0, request.letterbox) }
                }
                if stages.givesMasks {
                    for (index, detections) in detections.enumerated() {
                        do {
                            try checkMasks(of: detections.map(\.box), maskPixels)
                        } catch {
                            refusals[index] = error
                        }
                    }
                }
                // A picture with too many has none made; the others of the batch are not its fault.
                let drawn = found.enumerated().map { index, candidates in refusals[index] == nil ? candidates : [] }
                for index in refusals.keys { detections[index] = [] }
                let places = drawn.enumerated().flatMap { picture, candidates in candidates.map { (picture, $0.box) } }
                if !places.isEmpty, let masks = try await stages.masks(of: places, first.outputs) {
                    count(masks.run)
                    detections = try await imaging.run(for: name) { [detections] limit in
                        try Self.masked(detections, masks, batch, limit)
                    }
                }
                for index in detections.indices {
                    detections[index].removeAll { $0.box.width <= 0 || $0.box.height <= 0 }
                }
            }
        } catch let misfit as HeadMisfit {
            throw error(misfit)
        }
        engine.postprocessing = (clock.now - begun - engine.waited - engine.inference) / max(batch.count, 1)
        count(first)
        return zip(batch, detections).enumerated().map { index, pair in
            if let refusal = refusals[index] { return .failure(refusal) }
            let (request, found) = pair
            return .success(
                Prediction(
                    task: task,
                    detections: found,
                    classifications: [],
                    picture: request.picture.size,
                    timing: engine
                )
            )
        }
    }

    /// The objects of each picture, in pixels of the input, best first.
    private func objects(
        in answers: RegionAnswers,
        _ proposals: [[Box]],
        _ batch: [Fitted],
        _ stages: RegionStages,
        _ limit: WorkLimit
    ) throws -> [[Candidate]] {
        var first = 0
        return try zip(proposals, batch).map { boxes, request in
            try limit.check()
            defer { first += boxes.count }
            let candidates = try stages.candidates(
                answers,
                proposals: boxes,
                first: first,
                content: request.letterbox.content,
                filter: CandidateFilter(
                    confidence: request.options.confidence ?? defaults.confidence,
                    classes: request.options.classes
                )
            )
            let suppression = NonMaximumSuppression(
                iou: request.options.iou ?? defaults.iou,
                classAgnostic: request.options.classAgnostic ?? defaults.classAgnostic,
                maxDetections: request.options.maxDetections ?? defaults.maxDetections
            )
            let plausible = try Plausibility(input: request.letterbox.input).checked(candidates)
            return try suppression(plausible, check: limit.check)
        }
    }

    /// The detections of a batch with their masks, which lie in the same order.
    private static func masked(
        _ detections: [[Detection]],
        _ answers: RegionAnswers,
        _ batch: [Fitted],
        _ limit: WorkLimit
    ) throws -> [[Detection]] {
        let output = answers.run.outputs[0]
        let (classes, side) = (output.shape[1], output.shape[2])
        let area = side * side
        var object = 0
        return try output.withElements(of: Float.self) { logits in
            guard !Float.containsNaN(logits) else { throw HeadMisfit.value("a mask that is not a number") }
            return try zip(detections, batch).map { found, request in
                let paster = MaskPaster(picture: request.letterbox.picture)
                return try found.map { detection in
                    try limit.check()
                    defer { object += 1 }
                    // Masks that do not tell classes apart have but one.
                    let plane = answers.rows[object] * classes + (classes == 1 ? 0 : detection.classID)
                    let probabilities = (plane * area..<(plane + 1) * area).map { sigmoid(logits[$0]) }
                    var detection = detection
                    detection.mask = try paster.mask(probabilities, side: side, box: detection.box, limit: limit)
                    return detection
                }
            }
        }
    }

    /// What the model sees in a picture at each of its scales, put together.
    ///
    /// At each scale the model's own suppression and limit count; the request's, or else the settings', count for what is
    /// found at all of them.
    func predictAtScales(
        _ picture: Picture,
        _ options: PredictionOptions,
        _ maskPixels: Int
    ) async throws -> Result<Prediction, any Error> {
        let letterboxes = input.letterboxesAtScales(for: picture.size)
        var own = options
        own.iou = head.defaults.iou
        own.maxDetections = head.defaults.maxDetections
        own.classAgnostic = head.defaults.classAgnostic
        let atScales: [Prediction]
        let results = try await run(letterboxes.map { (picture, $0, own) }, letterboxes[0].input, maskPixels)
        do {
            atScales = try results.map { try $0.get() }
        } catch {
            return .failure(error)
        }
        var prediction = atScales[0]
        for other in atScales.dropFirst() { prediction.timing.postprocessing += other.timing.postprocessing }
        let all = atScales.flatMap(\.detections)
        let suppression = NonMaximumSuppression(
            iou: options.iou ?? defaults.iou,
            classAgnostic: options.classAgnostic ?? defaults.classAgnostic,
            maxDetections: options.maxDetections ?? defaults.maxDetections
        )
        let candidates = all.enumerated().map { place, detection in
            Candidate(box: detection.box, score: detection.score, classID: detection.classID, place: place)
        }
        prediction.detections = try await imaging.run(for: name) { limit in
            try suppression(candidates, check: limit.check).map { all[$0.place] }
        }
        return .success(prediction)
    }
}
