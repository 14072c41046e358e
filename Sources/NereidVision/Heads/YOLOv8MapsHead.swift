// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference

/// Reads the raw maps of YOLOv8, YOLO11, YOLO26 and their kin as converted graphs give them: for each level `boxes0`, …,
/// `[N, 4·bins, h, w]` distances from the cell's centre to the left, top, right and bottom side in cells, or the logits of
/// their bins; `classes0`, …, `[N, C, h, w]` logits; and by task `masks0`, …, `keypoints0`, …, or `angles0`, ….
///
/// `Detect._inference`, `Pose.kpts_decode` and `Detect.postprocess` in Ultralytics' `nn/modules/head.py`, `dist2bbox` and
/// `dist2rbox` in its `utils/tal.py`. Only cells whose best class passes the threshold are decoded.
struct YOLOv8MapsHead: Head {
    let classCount: Int
    let reason: String
    let extra: Extra?
    /// A one-to-one head chooses by itself.
    let needsSuppression: Bool
    private let strides: [Int]
    /// Of each level, the places of its boxes, its classes, and its extra maps if there are any.
    private let boxes: [Int]
    private let classes: [Int]
    private let extras: [Int]
    /// Bins of each side's distribution; 1 for the distance itself.
    private let bins: Int

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        try evidence.require(.yolov8Maps)
        strides = try evidence.mapStrides()
        guard let bins = evidence.integers(HeadEvidence.Key.bins), bins.count == 1, (1...256).contains(bins[0]) else {
            throw HeadMisfit(reason: "the metadata's ‘\(HeadEvidence.Key.bins)’ is not a number of bins")
        }
        self.bins = bins[0]
        needsSuppression = evidence.metadata[HeadEvidence.Key.suppression] != "none"
        let (extra, name) = try Self.extra(of: evidence)
        let count = evidence.outputs[try evidence.map("classes0")].shape[1]
        if let labels = evidence.labelCount, labels != count {
            throw HeadMisfit(reason: "\(count) maps of classes, but there are \(labels) labels")
        }
        var (boxes, classes, extras): ([Int], [Int], [Int]) = ([], [], [])
        for level in strides.indices {
            boxes.append(try evidence.map("boxes\(level)", channels: 4 * bins[0]))
            classes.append(try evidence.map("classes\(level)", channels: count))
            if let extra { extras.append(try evidence.map("\(name)\(level)", channels: extra.valueCount)) }
        }
        (self.boxes, self.classes, self.extras) = (boxes, classes, extras)
        (self.extra, classCount) = (extra, count)
        let kind = needsSuppression ? "" : ", one to one"
        reason = "raw maps at strides \(strides): \(bins[0]) bins, \(count) classes\(extra?.description ?? "")\(kind)"
    }

    /// What the task adds, and the name of its maps.
    private static func extra(of evidence: HeadEvidence) throws(HeadMisfit) -> (Extra?, String) {
        let masks = try evidence.mapMasks()
        if masks > 0 {
            let prototypes = try evidence.map("prototypes", channels: masks)
            return (.masks(coefficients: masks, prototypes: prototypes, rule: .enlargeLogits), "masks")
        }
        return switch evidence.task {
        case .pose: (try evidence.keypoints(), "keypoints")
        case .obb: (.angle, "angles")
        default: (nil, "")
        }
    }

    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        let levels = try MapLevel.levels(of: classes, strides: strides, in: outputs)
        for level in levels {
            try outputs.requireMap(boxes[level.index], channels: 4 * bins, cells: level.cells)
            try outputs.requireMap(classes[level.index], channels: classCount, cells: level.cells)
            if let extra { try outputs.requireMap(extras[level.index], channels: extra.valueCount, cells: level.cells) }
        }
        let finds =
            needsSuppression
            ? try finds(in: outputs, picture: index, levels, filter)
            : try choice(of: try finds(in: outputs, picture: index, levels, filter), outputs, index, levels, filter)
        var candidates: [Candidate] = []
        candidates.reserveCapacity(finds.count)
        // Level by level in order, so that each level's boxes are lent once.
        for level in levels {
            let here = finds.filter { $0.level == level.index }
            let scored = here.map { ($0, sigmoid($0.logit)) }.filter { find, score in
                score > filter.confidence && filter.wants(find.classID)
            }
            guard !scored.isEmpty else { continue }
            let angles = extra == .angle ? try outputs[extras[level.index]].floats(picture: index) : []
            try outputs[boxes[level.index]].withFloats(picture: index) { planes in
                for (find, score) in scored {
                    let angle = angles.isEmpty ? 0 : angles[find.cell]
                    candidates.append(
                        Candidate(
                            box: box(planes, find.cell, level, angle: angle),
                            score: score,
                            classID: find.classID,
                            angle: angle,
                            place: level.firstCell + find.cell
                        )
                    )
                }
            }
        }
        return candidates
    }

    /// A cell where something may be.
    private struct Find {
        let level: Int
        let cell: Int
        var classID: Int
        var logit: Float
    }

    /// Every cell whose best class may pass the threshold, with that class.
    private func finds(
        in outputs: [Tensor],
        picture index: Int,
        _ levels: [MapLevel],
        _ filter: CandidateFilter
    ) throws -> [Find] {
        let threshold = logitThreshold(filter.confidence)
        var finds: [Find] = []
        for level in levels {
            var best = [(classID: Int32, logit: Float)](repeating: (-1, -.infinity), count: level.cells)
            try outputs[classes[level.index]].withFloats(picture: index) { values in
                guard !Float.containsNaN(values) else { throw HeadMisfit.scoreIsNaN }
                for classID in 0..<classCount {
                    let plane = values.extracting(classID * level.cells..<(classID + 1) * level.cells)
                    plane.forEachIndex(above: threshold) { cell in
                        if plane[cell] > best[cell].logit { best[cell] = (Int32(classID), plane[cell]) }
                    }
                }
            }
            for (cell, (classID, logit)) in best.enumerated() where classID >= 0 {
                finds.append(Find(level: level.index, cell: cell, classID: Int(classID), logit: logit))
            }
        }
        return finds
    }

    /// What a one-to-one head chooses: of the cells with the best classes, the best pairs of cell and class, as many as are
    /// wanted of either. Where classes suppress each other, each cell gives its best class only.
    private func choice(
        of finds: [Find],
        _ outputs: [Tensor],
        _ index: Int,
        _ levels: [MapLevel],
        _ filter: CandidateFilter
    ) throws -> [Find] {
        let cells = Self.best(filter.maxDetections, of: finds)
        guard !filter.classAgnostic else { return cells }
        let threshold = logitThreshold(filter.confidence)
        var pairs: [Find] = []
        for level in levels {
            try outputs[classes[level.index]].withFloats(picture: index) { values in
                for cell in cells where cell.level == level.index {
                    for classID in 0..<classCount {
                        let logit = values[classID * level.cells + cell.cell]
                        if logit > threshold {
                            pairs.append(Find(level: level.index, cell: cell.cell, classID: classID, logit: logit))
                        }
                    }
                }
            }
        }
        return Self.best(filter.maxDetections, of: pairs)
    }

    /// The best of them; equal ones in their order.
    private static func best(_ count: Int, of finds: [Find]) -> [Find] {
        let order = finds.indices.sorted {
            finds[$0].logit != finds[$1].logit ? finds[$0].logit > finds[$1].logit : $0 < $1
        }
        return order.prefix(count).map { finds[$0] }
    }

    /// The box of a cell in input pixels, before it is turned by its angle.
    private func box(_ planes: Span<Float>, _ cell: Int, _ level: MapLevel, angle: Float) -> Box {
        let sides = SIMD4<Float>((0..<4).map { distance(planes, side: $0, cell, level.cells) })
        let centre = (x: Float(cell % level.columns) + 0.5, y: Float(cell / level.columns) + 0.5)
        let stride = Float(level.stride)
        guard extra == .angle else {
            return Box(
                x1: (centre.x - sides[0]) * stride,
                y1: (centre.y - sides[1]) * stride,
                x2: (centre.x + sides[2]) * stride,
                y2: (centre.y + sides[3]) * stride
            )
        }
        // The distances are those of the turned box, so the way from the cell to its centre is turned too.
        let (along, across) = ((sides[2] - sides[0]) / 2, (sides[3] - sides[1]) / 2)
        return Box(
            centreX: (centre.x + along * cos(angle) - across * sin(angle)) * stride,
            centreY: (centre.y + along * sin(angle) + across * cos(angle)) * stride,
            width: (sides[0] + sides[2]) * stride,
            height: (sides[1] + sides[3]) * stride
        )
    }

    /// A distance in cells; of a distribution, its mean after softmax.
    private func distance(_ planes: Span<Float>, side: Int, _ cell: Int, _ cells: Int) -> Float {
        guard bins > 1 else { return planes[side * cells + cell] }
        var most = -Float.infinity
        for bin in 0..<bins { most = max(most, planes[(side * bins + bin) * cells + cell]) }
        var (sum, mean): (Float, Float) = (0, 0)
        for bin in 0..<bins {
            let weight = exp(planes[(side * bins + bin) * cells + cell] - most)
            sum += weight
            mean += weight * Float(bin)
        }
        return mean / sum
    }

    func extras(of candidate: Candidate, in outputs: [Tensor], picture index: Int, input: PixelSize) throws -> [Float] {
        guard let extra else { return [] }
        let levels = try MapLevel.levels(of: classes, strides: strides, in: outputs)
        guard let level = levels.last(where: { $0.firstCell <= candidate.place }) else {
            throw HeadMisfit(reason: "there is no cell \(candidate.place)")
        }
        let cell = candidate.place - level.firstCell
        let channel = index * extra.valueCount
        let values = try outputs[extras[level.index]].floats(
            at: (0..<extra.valueCount).map { (channel + $0) * level.cells + cell }
        )
        guard case .keypoints(_, let valuesOfPoint) = extra else { return values }
        let centre = [Float(cell % level.columns) + 0.5, Float(cell / level.columns) + 0.5]
        return values.enumerated().map { index, value in
            let part = index % valuesOfPoint
            return part == 2 ? sigmoid(value) : (centre[part] + value) * Float(level.stride)
        }
    }
}
