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

    /// Reads one picture of a batch, in its own coordinates.
    func read(
        _ outputs: [Tensor],
        at index: Int,
        _ letterbox: Letterbox,
        _ options: PredictionOptions
    ) throws -> Reading {
        do {
            return task == .classify
                ? Reading(classifications: try classifications(in: outputs, at: index, letterbox, options))
                : Reading(detections: try detections(in: outputs, at: index, letterbox, options))
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

    private func classifications(
        in outputs: [Tensor],
        at index: Int,
        _ letterbox: Letterbox,
        _ options: PredictionOptions
    ) throws -> [Classification] {
        // Unless a request says otherwise the best classes are given, however unsure: there is always a best one.
        let filter = CandidateFilter(confidence: options.confidence ?? -1, classes: options.classes)
        let candidates = try head.candidates(in: outputs, picture: index, input: letterbox.input, filter: filter)
        return NonMaximumSuppression.sorted(try Plausibility(input: letterbox.input).checked(candidates))
            .prefix(options.topClasses ?? defaults.topClasses)
            .map { Classification(classID: $0.classID, label: labels[$0.classID], score: $0.score) }
    }

    private func detections(
        in outputs: [Tensor],
        at index: Int,
        _ letterbox: Letterbox,
        _ options: PredictionOptions
    ) throws -> [Detection] {
        let plausibility = Plausibility(input: letterbox.input)
        let candidates = try plausibility.checked(
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
        let chosen = chosen(candidates, options)
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
            let masks = try masks(of: chosen, in: outputs, at: index, letterbox, count, prototypes, rule)
            for (place, mask) in masks.enumerated() { detections[place].mask = mask }
            if rule.dropsEmptyMasks { detections.removeAll { $0.mask?.isEmpty ?? true } }
        }
        return detections
    }

    /// The candidates that stay, best first.
    private func chosen(_ candidates: [Candidate], _ options: PredictionOptions) -> [Candidate] {
        let most = options.maxDetections ?? defaults.maxDetections
        guard head.needsSuppression else { return Array(NonMaximumSuppression.sorted(candidates).prefix(most)) }
        let iou = options.iou ?? defaults.iou
        let classAgnostic = options.classAgnostic ?? defaults.classAgnostic
        return head.task == .obb
            ? RotatedSuppression(iou: iou, classAgnostic: classAgnostic, maxDetections: most)(candidates)
            : NonMaximumSuppression(iou: iou, classAgnostic: classAgnostic, maxDetections: most)(candidates)
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
        _ rule: MaskRule
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
                try Task.checkCancellation()
                let coefficients = try head.extras(
                    of: candidate,
                    in: outputs,
                    picture: index,
                    input: letterbox.input
                )
                guard coefficients.allSatisfy(\.isFinite) else {
                    throw HeadMisfit.value("a coefficient of a mask that is not a finite number")
                }
                return decoder.mask(coefficients, planes, box: candidate.box)
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
