// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference

/// How Detectron2's networks adjust boxes: four deltas, each divided by its weight, move a box's centre and scale its sides.
///
/// `Box2BoxTransform.apply_deltas` in Detectron2's `modeling/box_regression.py`, in single precision as there.
struct BoxAdjustment: Sendable, Hashable {
    /// What the deltas dx, dy, dw, dh are divided by.
    let weights: SIMD4<Float>

    /// Sides grow at most by 1000/16 at once.
    private static let greatestGrowth = Float(log(1000.0 / 16))

    func box(_ start: Box, _ deltas: SIMD4<Float>) -> Box {
        let (width, height) = (start.width, start.height)
        let scaled = deltas / weights
        let centreX = scaled[0] * width + (start.x1 + 0.5 * width)
        let centreY = scaled[1] * height + (start.y1 + 0.5 * height)
        let newWidth = exp(min(scaled[2], Self.greatestGrowth)) * width
        let newHeight = exp(min(scaled[3], Self.greatestGrowth)) * height
        return Box(
            x1: centreX - 0.5 * newWidth,
            y1: centreY - 0.5 * newHeight,
            x2: centreX + 0.5 * newWidth,
            y2: centreY + 0.5 * newHeight
        )
    }
}

/// The maps of a network whose boxes start from anchors: for each level scores, `[N, anchors · classes, h, w]`, and deltas,
/// `[N, anchors · 4, h, w]`, the channels of an anchor together.
struct AnchorMaps: Sendable {
    let strides: [Int]
    /// Width and height by level and anchor, in pixels of the input.
    let anchors: [[SIMD2<Float>]]
    /// Where the first anchor's centre lies, in strides.
    let offset: Float
    let adjustment: BoxAdjustment
    /// Scores of each anchor.
    let classCount: Int
    /// The best so many of each level are looked at.
    let candidatesPerLevel: Int
    /// Of each level, the places of its scores and its deltas among the outputs.
    let scores: [Int]
    let deltas: [Int]

    /// Something that may be an object: where in which level, and its logit.
    struct Find {
        let level: Int
        let cell: Int
        let anchor: Int
        let classID: Int
        let logit: Float
    }

    /// The best places of one level whose logits are greater than a threshold, best first; equal ones in the order of rows,
    /// columns, anchors, classes.
    ///
    /// - Throws: ``HeadMisfit`` when the outputs have other shapes.
    func finds(
        in outputs: [Tensor],
        picture index: Int,
        level: MapLevel,
        above threshold: Float,
        where isWanted: (_ classID: Int, _ logit: Float) -> Bool = { _, _ in true }
    ) throws -> [Find] {
        let perCell = anchors[level.index].count
        try outputs.requireMap(scores[level.index], channels: perCell * classCount, cells: level.cells)
        return try outputs[scores[level.index]].withFloats(picture: index) { values in
            guard !Float.containsNaN(values) else { throw HeadMisfit.scoreIsNaN }
            var logits: [(logit: Float, position: Int)] = []
            values.forEachIndex(above: threshold) { position in
                let logit = values[position]
                guard logit.isFinite, isWanted(position / level.cells % classCount, logit) else { return }
                logits.append((logit, position))
            }
            if logits.count > candidatesPerLevel {
                let least = Self.bound(ofLargest: candidatesPerLevel, of: logits)
                logits.removeAll { $0.logit < least }
            }
            func order(_ position: Int) -> Int {
                position % level.cells * perCell * classCount + position / level.cells
            }
            logits.sort { $0.logit != $1.logit ? $0.logit > $1.logit : order($0.position) < order($1.position) }
            return logits.prefix(candidatesPerLevel).map { logit, position in
                let (channel, cell) = (position / level.cells, position % level.cells)
                return Find(
                    level: level.index,
                    cell: cell,
                    anchor: channel / classCount,
                    classID: channel % classCount,
                    logit: logit
                )
            }
        }
    }

    /// A number that the largest `count` are not below, and few others: of hundreds of thousands only those need sorting.
    ///
    /// Numbers are counted by their upper sixteen bits, which are in the order of the numbers once negative ones are turned
    /// round (IEEE 754-2019, 3.4).
    static func bound(ofLargest count: Int, of logits: [(logit: Float, position: Int)]) -> Float {
        func rank(_ number: Float) -> UInt32 {
            let bits = number.bitPattern
            return bits >> 31 == 0 ? bits | 1 << 31 : ~bits
        }
        var histogram = [Int](repeating: 0, count: 1 << 16)
        for entry in logits { histogram[Int(rank(entry.logit) >> 16)] += 1 }
        var seen = 0
        guard
            let bucket = histogram.indices.reversed().first(where: {
                seen += histogram[$0]; return seen >= count
            })
        else {
            return -.infinity
        }
        let lowest = UInt32(bucket) << 16
        let bound = Float(bitPattern: lowest >> 31 == 1 ? lowest & ~(1 << 31) : ~lowest)
        return bound.isNaN ? -.infinity : bound
    }

    /// The boxes of finds of one level, in pixels of the input.
    ///
    /// - Throws: ``HeadMisfit`` when the outputs have other shapes.
    func boxes(of finds: [Find], in outputs: [Tensor], picture index: Int, level: MapLevel) throws -> [Box] {
        let shapes = anchors[level.index]
        try outputs.requireMap(deltas[level.index], channels: 4 * shapes.count, cells: level.cells)
        return try outputs[deltas[level.index]].withFloats(picture: index) { values in
            finds.map { find in
                let first = find.anchor * 4 * level.cells + find.cell
                let numbers = SIMD4<Float>((0..<4).map { values[first + $0 * level.cells] })
                return adjustment.box(anchor(find, level, shapes), numbers)
            }
        }
    }

    /// `DefaultAnchorGenerator` in Detectron2's `modeling/anchor_generator.py`.
    func anchor(_ find: Find, _ level: MapLevel, _ shapes: [SIMD2<Float>]) -> Box {
        let stride = Float(level.stride)
        let x = offset * stride + Float(find.cell % level.columns) * stride
        let y = offset * stride + Float(find.cell / level.columns) * stride
        let half = shapes[find.anchor] / 2
        return Box(x1: x - half.x, y1: y - half.y, x2: x + half.x, y2: y + half.y)
    }
}

extension HeadEvidence {
    /// The maps with these names, as the metadata describe them.
    ///
    /// - Parameter classCount: scores of each anchor; `nil`: as many as the first map has room for.
    func anchorMaps(
        scores: String,
        deltas: String,
        weights: String,
        classCount: Int?
    ) throws(HeadMisfit) -> AnchorMaps {
        let strides = try mapStrides()
        let anchors = try mapAnchors(levels: strides.count)
        let room = outputs[try map("\(scores)0")].shape[1]
        let count = classCount ?? room / anchors[0].count
        var (scorePlaces, deltaPlaces): ([Int], [Int]) = ([], [])
        for level in strides.indices {
            scorePlaces.append(try map("\(scores)\(level)", channels: anchors[level].count * count))
            deltaPlaces.append(try map("\(deltas)\(level)", channels: anchors[level].count * 4))
        }
        return AnchorMaps(
            strides: strides,
            anchors: anchors,
            offset: try real(Key.anchorOffset, in: 0...1),
            adjustment: try boxAdjustment(weights),
            classCount: count,
            candidatesPerLevel: try integer(Key.candidates, in: 1...1_000_000),
            scores: scorePlaces,
            deltas: deltaPlaces
        )
    }

    /// What deltas are divided by.
    func boxAdjustment(_ key: String) throws(HeadMisfit) -> BoxAdjustment {
        let weights = reals(key)
        guard weights.count == 4, weights.allSatisfy({ $0 > 0 && $0.isFinite }) else {
            throw HeadMisfit(reason: "the metadata's ‘\(key)’ is not four numbers above zero")
        }
        return BoxAdjustment(weights: SIMD4(weights.map { Float($0) }))
    }

    /// The thresholds that the network's own configuration gives.
    func networkDefaults() throws(HeadMisfit) -> PredictionDefaults {
        var defaults = PredictionDefaults()
        defaults.confidence = try real(Key.confidence, in: 0...1)
        defaults.iou = try real(Key.iou, in: 0...1)
        defaults.maxDetections = try integer(Key.maxDetections, in: 1...1_000_000)
        return defaults
    }

    func real(_ key: String, in range: ClosedRange<Double>) throws(HeadMisfit) -> Float {
        let numbers = reals(key)
        guard numbers.count == 1, range.contains(numbers[0]) else {
            throw HeadMisfit(
                reason: "the metadata's ‘\(key)’ is not a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return Float(numbers[0])
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(HeadMisfit) -> Int {
        guard let numbers = integers(key), numbers.count == 1, range.contains(numbers[0]) else {
            throw HeadMisfit(
                reason: "the metadata's ‘\(key)’ is not a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return numbers[0]
    }

    /// A number or a list of numbers in the metadata; empty when there is no such thing.
    func reals(_ key: String) -> [Double] {
        metadata[key].flatMap(PythonLiteral.init(parsing:))?.numbers ?? []
    }
}

extension PythonLiteral {
    /// The pairs of numbers from 0 upwards in a list of lists; `nil` when anything in it is anything else.
    var pairs: [[SIMD2<Float>]]? {
        guard case .list(let rows) = self else { return nil }
        var pairs: [[SIMD2<Float>]] = []
        for row in rows {
            guard case .list(let elements) = row else { return nil }
            var line: [SIMD2<Float>] = []
            for element in elements {
                guard let numbers = element.numbers?.map(Float.init), numbers.count == 2,
                    numbers.allSatisfy({ $0.isFinite && $0 >= 0 })
                else { return nil }
                line.append(SIMD2(numbers))
            }
            pairs.append(line)
        }
        return pairs
    }

    /// The number that it is, or the numbers of a list; `nil` when it is anything else.
    var numbers: [Double]? {
        switch self {
        case .integer(let number): return [Double(number)]
        case .real(let number): return [number]
        case .list(let elements):
            let numbers = elements.compactMap { element -> Double? in
                switch element {
                case .integer(let number): Double(number)
                case .real(let number): number
                default: nil
                }
            }
            return numbers.count == elements.count ? numbers : nil
        default: return nil
        }
    }
}
