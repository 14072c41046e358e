// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference
import TestSupport

@testable import NereidVision

/// Outputs as networks give them in loading runs in which they find nothing or little: boxes that scatter about their cells,
/// and low scores.
struct WeakNetwork {
    enum Layout: CaseIterable {
        case yolov8, yolov8Fractions, yolov8Rows, yolov5, yolov5Fractions, yolov6, yolox, yoloxDecoded, endToEnd,
            deepStream
        case deepStreamAnchors, rtdetrClasses, rtdetrRows, yolov7, ssd, classifier
        // Not served.
        case yoloNASRows, boxesAndScores, boxesAndScoresTurned, queries, classMajorScores, face, nanoDet
    }

    let layout: Layout
    var classes = 3
    var input = PixelSize(width: 160, height: 96)
    var element = ElementType.float32
    var seed: UInt64 = 1
    /// The greatest score.
    var greatest: Float = 0.2

    /// The head that reads it; `nil`: none.
    var kind: HeadKind? {
        switch layout {
        case .yolov8, .yolov8Fractions: .yolov8
        case .yolov8Rows: .yolov8Rows
        case .yolov5, .yolov5Fractions, .yolov6: .yolov5
        case .yolox: .yolox
        case .yoloxDecoded: .yoloxDecoded
        case .endToEnd: .endToEnd
        case .deepStream, .deepStreamAnchors: .deepStream
        case .rtdetrClasses, .rtdetrRows: .rtdetr
        case .yolov7: .yolov7EndToEnd
        case .ssd: .ssd
        case .classifier: .classifier
        case .yoloNASRows, .boxesAndScores, .boxesAndScoresTurned, .queries, .classMajorScores, .face, .nanoDet: nil
        }
    }

    /// What the file says of it.
    var metadata: [String: String] {
        kind == .rtdetr ? ["description": "Ultralytics rtdetr-l model", "task": "detect"] : [:]
    }

    func evidence(labels: Int? = nil, given: Int? = nil, metadata: [String: String] = [:]) throws -> HeadEvidence {
        var generator = SeededGenerator(seed: seed)
        let runs = try (0..<2).map { try outputs(run: $0, &generator) }
        return HeadEvidence(
            runs: runs,
            input: input,
            labels: labels,
            given: given,
            metadata: self.metadata.merging(metadata) { $1 }
        )
    }

    /// Centre and size of a box for each cell.
    var cellBoxes: [[Float]] {
        var generator = SeededGenerator(seed: seed)
        return cells.map { box($0, &generator) }
    }

    private struct Cell {
        let x: Float
        let y: Float
        let stride: Float
    }

    private var cells: [Cell] {
        [8, 16, 32].flatMap { stride in
            (0..<input.height / stride).flatMap { row in
                (0..<input.width / stride).map { column in
                    Cell(x: Float(column), y: Float(row), stride: Float(stride))
                }
            }
        }
    }

    /// Centre and size in pixels, near a cell.
    private func box(_ cell: Cell, _ generator: inout SeededGenerator) -> [Float] {
        [
            (cell.x + .random(in: -0.5...1.5, using: &generator)) * cell.stride,
            (cell.y + .random(in: -0.5...1.5, using: &generator)) * cell.stride,
            .random(in: 0.5...4, using: &generator) * cell.stride,
            .random(in: 0.5...4, using: &generator) * cell.stride,
        ]
    }

    private func corners(_ box: [Float]) -> [Float] {
        [box[0] - box[2] / 2, box[1] - box[3] / 2, box[0] + box[2] / 2, box[1] + box[3] / 2]
    }

    private func fractions(_ box: [Float]) -> [Float] {
        zip(box, [input.width, input.height, input.width, input.height]).map { $0 / Float($1) }
    }

    private func score(_ run: Int, _ generator: inout SeededGenerator) -> Float {
        // Nothing is to be seen in the first run, and almost nothing in the second.
        let score = Float.random(in: 0...1, using: &generator)
        return run == 0 ? score * 0.01 : score * score * score * greatest
    }

    private func outputs(run: Int, _ generator: inout SeededGenerator) throws -> [Tensor] {
        let cells = cells
        let anchors = cells + cells + cells
        func scores(_ count: Int) -> [Float] { (0..<count).map { _ in score(run, &generator) } }
        func classID() -> Float { Float(Int.random(in: 0..<classes, using: &generator)) }
        /// Classes that depend on an objectness are high where nothing is.
        func conditional(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float.random(in: 0...0.6, using: &generator) }
        }
        func numbers(_ range: ClosedRange<Float>, _ count: Int) -> [Float] {
            (0..<count).map { _ in Float.random(in: range, using: &generator) }
        }
        func rows(_ rows: [[Float]]) throws -> Tensor {
            try .numbers(rows.flatMap(\.self), shape: [1, rows.count, rows[0].count], as: element)
        }
        func planes(_ rows: [[Float]]) throws -> Tensor {
            try .numbers(
                rows[0].indices.flatMap { column in rows.map { $0[column] } },
                shape: [1, rows[0].count, rows.count],
                as: element
            )
        }
        /// A few of the cells, as networks choose them, the best first.
        func chosen(_ count: Int) -> [[Float]] {
            (0..<count).map { _ in box(cells.randomElement(using: &generator)!, &generator) }
        }
        switch layout {
        case .yolov8: return [try planes(cells.map { box($0, &generator) + scores(classes) })]
        case .yolov8Fractions: return [try planes(cells.map { fractions(box($0, &generator)) + scores(classes) })]
        case .yolov8Rows: return [try rows(cells.map { box($0, &generator) + scores(classes) })]
        case .yolov5: return [try rows(anchors.map { box($0, &generator) + scores(1) + conditional(classes) })]
        case .yolov5Fractions:
            return [try rows(anchors.map { fractions(box($0, &generator)) + scores(1) + conditional(classes) })]
        case .yolov6: return [try rows(cells.map { box($0, &generator) + [1] + scores(classes) })]
        case .yoloxDecoded: return [try rows(cells.map { box($0, &generator) + scores(1) + conditional(classes) })]
        case .yolox:
            return [
                try rows(
                    cells.map { _ in numbers(-2...3, 2) + numbers(-1.4...3.4, 2) + scores(1) + conditional(classes) }
                )
            ]
        case .endToEnd: return [try rows(chosen(300).map { corners($0) + scores(1) + [classID()] })]
        case .deepStream: return [try rows(cells.map { corners(box($0, &generator)) + scores(1) + [classID()] })]
        case .deepStreamAnchors:
            return [try rows(anchors.map { corners(box($0, &generator)) + scores(1) + [classID()] })]
        case .rtdetrClasses: return [try rows(chosen(300).map { fractions($0) + scores(classes) })]
        case .rtdetrRows: return [try rows(chosen(300).map { fractions($0) + scores(1) + [classID()] })]
        case .yolov7, .yoloNASRows:
            let found = chosen(run == 0 ? 0 : 12).map { box -> [Float] in
                let last: [Float] = [classID(), 0.25 + score(run, &generator)]
                return [0] + corners(box) + (layout == .yolov7 ? last : [last[1], last[0]])
            }
            return [try .numbers(found.flatMap(\.self), shape: [found.count, 7], as: element)]
        case .ssd:
            return [
                try rows(
                    cells.map { _ -> [Float] in
                        let found = scores(classes).map { $0 / Float(classes) }
                        return [1 - found.reduce(0, +)] + found
                    }
                ), try rows(cells.map { corners(fractions(box($0, &generator))) }),
            ]
        case .classifier:
            let logits = (0..<max(classes, 2)).map { _ in Float.random(in: -4...4, using: &generator) }
            return [try .numbers(logits, shape: [1, logits.count], as: element)]
        case .boxesAndScores:
            return [try rows(cells.map { corners(box($0, &generator)) }), try rows(cells.map { _ in scores(classes) })]
        case .boxesAndScoresTurned:
            return [try rows(cells.map { _ in scores(classes) }), try rows(cells.map { corners(box($0, &generator)) })]
        case .queries:
            return [
                try rows(chosen(60).map(fractions)),
                try rows((0..<60).map { _ in numbers(-6...0, classes + 1) }),
            ]
        case .classMajorScores:
            return [
                try planes(cells.map { _ in scores(classes) }), try rows(cells.map { corners(box($0, &generator)) }),
            ]
        case .face:
            return [
                try rows(
                    anchors.map { cell -> [Float] in
                        let box = self.box(cell, &generator)
                        let landmarks = numbers(-9...9, 10).map { box[0] + $0 }
                        return box + scores(1) + landmarks + conditional(1)
                    }
                )
            ]
        case .nanoDet:
            return [
                try rows(
                    cells.map { _ in scores(classes) + numbers(-4...4, 32) }
                )
            ]
        }
    }
}
