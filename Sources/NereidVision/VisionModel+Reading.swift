// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

extension VisionModel {
    /// What the outputs say of one picture.
    struct Reading: Sendable {
        var detections: [Detection] = []
        var classifications: [Classification] = []
    }

    /// Which picture of a batch is read, how it was fitted, and what is asked of it.
    struct Place: Sendable {
        let index: Int
        let letterbox: Letterbox
        let options: PredictionOptions
    }

    /// The candidates of one picture of a batch, in pixels of the model's input.
    func candidates(
        in outputs: [Tensor],
        at index: Int,
        _ letterbox: Letterbox,
        _ options: PredictionOptions
    ) throws -> [Candidate] {
        do {
            return task == .classify
                ? try classCandidates(in: outputs, at: index, letterbox, options)
                : try boxCandidates(in: outputs, at: index, letterbox, options)
        } catch let misfit as HeadMisfit {
            throw error(misfit)
        }
    }

    /// Reads one picture of a batch, in its own coordinates.
    func read(
        _ outputs: [Tensor],
        _ place: Place,
        _ candidates: [Candidate],
        _ limit: WorkLimit,
        _ maskPixels: Int
    ) throws -> Reading {
        do {
            return task == .classify
                ? Reading(classifications: classifications(candidates, place.options))
                : Reading(detections: try detections(candidates, in: outputs, place, limit, maskPixels))
        } catch let misfit as HeadMisfit {
            throw error(misfit)
        }
    }

    /// The error for outputs that its head can't read.
    func error(_ misfit: HeadMisfit) -> VisionError {
        misfit.isValue
            ? .implausibleOutput(model: name, head: headKind.rawValue, reason: misfit.reason)
            : .unexpectedOutput(model: name, reason: misfit.reason)
    }

    private func classCandidates(
        in outputs: [Tensor],
        at index: Int,
        _ letterbox: Letterbox,
        _ options: PredictionOptions
    ) throws -> [Candidate] {
        // Unless a request says otherwise the best classes are given, however unsure: there is always a best one.
        let filter = CandidateFilter(confidence: options.confidence ?? -1, classes: options.classes)
        let candidates = try head.candidates(in: outputs, picture: index, input: letterbox.input, filter: filter)
        return try Plausibility(input: letterbox.input).checked(candidates)
    }

    private func classifications(_ candidates: [Candidate], _ options: PredictionOptions) -> [Classification] {
        NonMaximumSuppression.sorted(candidates)
            .prefix(options.topClasses ?? defaults.topClasses)
            .map { Classification(classID: $0.classID, label: labels[$0.classID], score: $0.score) }
    }

    private func boxCandidates(
        in outputs: [Tensor],
        at index: Int,
        _ letterbox: Letterbox,
        _ options: PredictionOptions
    ) throws -> [Candidate] {
        try Plausibility(input: letterbox.input).checked(
            head.candidates(
                in: outputs,
                picture: index,
                input: letterbox.input,
                filter: CandidateFilter(
                    confidence: options.confidence ?? defaults.confidence,
                    classes: options.classes,
                    maxDetections: options.maxDetections ?? defaults.maxDetections,
                    classAgnostic: options.classAgnostic ?? defaults.classAgnostic
                )
            )
        )
    }

    private func detections(
        _ candidates: [Candidate],
        in outputs: [Tensor],
        _ place: Place,
        _ limit: WorkLimit,
        _ maskPixels: Int
    ) throws -> [Detection] {
        let (index, letterbox) = (place.index, place.letterbox)
        let plausibility = Plausibility(input: letterbox.input, reach: head.reach)
        let chosen = try chosen(candidates, place.options, limit)
        try plausibility.requireNear(chosen)
        var detections = chosen.map { detection($0, letterbox) }
        if head.dropsEmptyBoxes { detections.removeAll { $0.box.width <= 0 || $0.box.height <= 0 } }
        guard task != .detect, let extra = head.extra, !chosen.isEmpty else { return detections }
        switch extra {
        case .angle:
            for (place, candidate) in chosen.enumerated() {
                detections[place].rotation = letterbox.pictureRotation(of: candidate)
            }
        case .keypoints(_, let values):
            for (place, candidate) in chosen.enumerated() {
                let numbers = try plausibility.keypoints(
                    head.extras(of: candidate, in: outputs, picture: index, input: letterbox.input),
                    valuesOfPoint: values
                )
                detections[place].keypoints = letterbox.pictureKeypoints(numbers, valuesOfPoint: values)
            }
        case .masks(let count, let prototypes, let rule):
            try checkMasks(of: chosen.map { letterbox.pictureBox($0.box) }, maskPixels)
            let masks = try masks(of: chosen, in: outputs, at: index, letterbox, count, prototypes, rule, limit)
            for (place, mask) in masks.enumerated() { detections[place].mask = mask }
            if rule.dropsEmptyMasks { detections.removeAll { $0.mask?.isEmpty ?? true } }
        }
        return detections
    }

    /// The candidates that stay, best first.
    private func chosen(
        _ candidates: [Candidate],
        _ options: PredictionOptions,
        _ limit: WorkLimit
    ) throws(ImagingError) -> [Candidate] {
        let most = options.maxDetections ?? defaults.maxDetections
        guard head.needsSuppression else { return Array(NonMaximumSuppression.sorted(candidates).prefix(most)) }
        let iou = options.iou ?? defaults.iou
        let classAgnostic = options.classAgnostic ?? defaults.classAgnostic
        return head.task == .obb
            ? try RotatedSuppression(iou: iou, classAgnostic: classAgnostic, maxDetections: most)(
                candidates,
                check: limit.check
            )
            : try NonMaximumSuppression(iou: iou, classAgnostic: classAgnostic, maxDetections: most)(
                candidates,
                check: limit.check
            )
    }

    /// Holds the masks of one picture to the limit, before the first one is made.
    ///
    /// - Parameter boxes: in pixels of the picture, clipped to it.
    func checkMasks(of boxes: [Box], _ limit: Int) throws(VisionError) {
        let pixels = boxes.reduce(0.0) { $0 + Double(max($1.width, 0)) * Double(max($1.height, 0)) }
        guard pixels > Double(limit) else { return }
        throw .masksTooLarge(model: name, objects: boxes.count, pixels: Int(pixels), limit: limit)
    }

    /// A candidate with its box in the picture's own coordinates.
    func detection(_ candidate: Candidate, _ letterbox: Letterbox) -> Detection {
        var box = candidate.box
        if head.extra == .angle { box = RotatedBox(candidate).bounds }
        box = letterbox.pictureBox(box)
        return Detection(
            box: roundsBoxes ? box.rounded : box,
            score: candidate.score,
            classID: candidate.classID,
            label: labels[candidate.classID]
        )
    }

    private func masks(
        of candidates: [Candidate],
        in outputs: [Tensor],
        at index: Int,
        _ letterbox: Letterbox,
        _ count: Int,
        _ prototypes: Int,
        _ rule: MaskRule,
        _ limit: WorkLimit
    ) throws -> [Mask] {
        guard outputs.indices.contains(prototypes), outputs[prototypes].shape.count == 4,
            outputs[prototypes].shape[1] == count, outputs[prototypes].shape[2...].allSatisfy({ $0 > 0 })
        else { throw HeadMisfit(reason: "output \(prototypes) is not \(count) prototypes of masks") }
        let shape = outputs[prototypes].shape
        let decoder = MaskDecoder(
            size: PixelSize(width: shape[3], height: shape[2]),
            count: count,
            rule: rule,
            letterbox: letterbox
        )
        return try outputs[prototypes].withFloats(picture: index) { planes in
            guard !Float.containsNaN(planes) else {
                throw HeadMisfit.value("a prototype of masks that is not a number")
            }
            return try candidates.map { candidate in
                try limit.check()
                let coefficients = try head.extras(
                    of: candidate,
                    in: outputs,
                    picture: index,
                    input: letterbox.input
                )
                guard coefficients.allSatisfy(\.isFinite) else {
                    throw HeadMisfit.value("a coefficient of a mask that is not a finite number")
                }
                return try decoder.mask(coefficients, planes, box: candidate.box, limit: limit)
            }
        }
    }
}

extension RotatedBox {
    /// A candidate's box, in pixels of the model's input.
    fileprivate init(_ candidate: Candidate) {
        self.init(
            centre: Point(
                x: (candidate.box.x1 + candidate.box.x2) / 2,
                y: (candidate.box.y1 + candidate.box.y2) / 2
            ),
            width: candidate.box.width,
            height: candidate.box.height,
            angle: candidate.angle
        )
    }
}

extension Box {
    /// To whole pixels, halves to even as Python and PyTorch round.
    fileprivate var rounded: Box {
        Box(
            x1: x1.rounded(.toNearestOrEven),
            y1: y1.rounded(.toNearestOrEven),
            x2: x2.rounded(.toNearestOrEven),
            y2: y2.rounded(.toNearestOrEven)
        )
    }
}

extension Letterbox {
    /// A box of the input in pixels of the picture, clipped to it.
    func pictureBox(_ box: Box) -> Box {
        let (first, second) = (
            picturePoint(Point(x: box.x1, y: box.y1)), picturePoint(Point(x: box.x2, y: box.y2))
        )
        return Box(x1: first.x, y1: first.y, x2: second.x, y2: second.y)
    }

    /// A place in the input in pixels of the picture, clipped to it.
    fileprivate func picturePoint(_ point: Point) -> Point {
        Point(
            x: min(max(pictureX(point.x), 0), Float(picture.width)),
            y: min(max(pictureY(point.y), 0), Float(picture.height))
        )
    }

    /// Keypoints of the input, two or three numbers each, in pixels of the picture, clipped to it.
    fileprivate func pictureKeypoints(_ numbers: [Float], valuesOfPoint: Int) -> [Keypoint] {
        stride(from: 0, to: numbers.count - numbers.count % valuesOfPoint, by: valuesOfPoint).map { start in
            let place = picturePoint(Point(x: numbers[start], y: numbers[start + 1]))
            return Keypoint(x: place.x, y: place.y, score: valuesOfPoint == 3 ? numbers[start + 2] : nil)
        }
    }

    /// A turned box of the input in pixels of the picture; not clipped, since a part of a turned box need not be one.
    fileprivate func pictureRotation(of candidate: Candidate) -> RotatedBox {
        var box = RotatedBox(candidate)
        box.centre = Point(x: pictureX(box.centre.x), y: pictureY(box.centre.y))
        // Where width and height are scaled differently a turned box would not stay one; the mean keeps its area.
        let gain = horizontalGain == verticalGain ? horizontalGain : (horizontalGain * verticalGain).squareRoot()
        box.width /= gain
        box.height /= gain
        return box
    }
}
