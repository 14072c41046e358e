// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

/// An object as a network may have found it, to be written in any head's layout.
struct RawObject {
    var box: Box
    /// One for each class.
    var scores: [Float]
}

/// The layouts that hold scores as they are, able to write the outputs of a framework for an input of 32 × 32 pixels.
enum HeadLayout: CaseIterable {
    case yolov5, yolov8, endToEnd, yolox, ssd, yoloxDecoded, yolov8Rows, deepStream, rtdetr, rtdetrRows, yolov7

    static let input = PixelSize(width: 32, height: 32)
    /// The cells of strides 8, 16 and 32, as many rows as YOLOX has for this input.
    static let rows = 16 + 4 + 1
    static let classes = 3

    var kind: HeadKind {
        switch self {
        case .yolov5: .yolov5
        case .yolov8: .yolov8
        case .endToEnd: .endToEnd
        case .yolox: .yolox
        case .ssd: .ssd
        case .yoloxDecoded: .yoloxDecoded
        case .yolov8Rows: .yolov8Rows
        case .deepStream: .deepStream
        case .rtdetr, .rtdetrRows: .rtdetr
        case .yolov7: .yolov7EndToEnd
        }
    }

    /// The head for outputs like these, as settings that name it would have it.
    func head() throws -> any Head {
        let outputs = try outputs([[]], as: .float32)
        var evidence = HeadEvidence(
            outputs: outputs.enumerated().map { .init(name: "output\($0)", shape: $1.shape) },
            input: Self.input,
            labelCount: Self.classes
        )
        evidence.isAsked = true
        evidence.runs = self == .rtdetr || self == .rtdetrRows ? [try self.outputs([[Self.sample]], as: .float32)] : []
        return try kind.head.init(fitting: evidence)
    }

    private static let sample = RawObject(box: Box(x1: 4, y1: 8, x2: 12, y2: 24), scores: [0.75, 0.125, 0])

    /// The outputs of a batch in which picture `n` shows the objects `pictures[n]`, the first of each in row 0.
    func outputs(_ pictures: [[RawObject]], as element: ElementType) throws -> [Tensor] {
        let count = pictures.count
        let padded = pictures.map { objects in
            objects + Array(repeating: Self.nothing, count: Self.rows - objects.count)
        }
        func tensor(_ columns: Int, _ row: (Int, RawObject) -> [Float]) throws -> Tensor {
            let values = padded.flatMap { $0.enumerated().flatMap { row($0, $1) } }
            return try .numbers(values, shape: [count, Self.rows, columns], as: element)
        }
        switch self {
        case .yolov5, .yoloxDecoded:
            return [try tensor(5 + Self.classes) { Self.centred($1.box) + [1] + $1.scores }]
        case .yolov8:
            let planes = padded.flatMap { objects in
                (0..<4 + Self.classes).flatMap { plane in
                    objects.map { (Self.centred($0.box) + $0.scores)[plane] }
                }
            }
            return [try .numbers(planes, shape: [count, 4 + Self.classes, Self.rows], as: element)]
        case .yolov8Rows:
            return [try tensor(4 + Self.classes) { Self.centred($1.box) + $1.scores }]
        case .rtdetr:
            return [try tensor(4 + Self.classes) { Self.centred($1.box).map { $0 / 32 } + $1.scores }]
        case .rtdetrRows:
            return [try tensor(6) { Self.centred($1.box).map { $0 / 32 } + Self.best($1) }]
        case .endToEnd, .deepStream:
            return [
                try tensor(6) { _, object in
                    [object.box.x1, object.box.y1, object.box.x2, object.box.y2] + Self.best(object)
                }
            ]
        case .yolov7:
            let rows = pictures.enumerated().flatMap { picture, objects in
                objects.map { object in
                    [Float(picture), object.box.x1, object.box.y1, object.box.x2, object.box.y2]
                        + Self.best(object).reversed()
                }
            }
            return [try .numbers(rows.flatMap(\.self), shape: [rows.count, 7], as: element)]
        case .yolox:
            return [try tensor(5 + Self.classes) { Self.offsets(of: $1.box, row: $0) + [1] + $1.scores }]
        case .ssd:
            return [
                try tensor(1 + Self.classes) { [1 - ($1.scores.max() ?? 0)] + $1.scores },
                try tensor(4) { [$1.box.x1 / 32, $1.box.y1 / 32, $1.box.x2 / 32, $1.box.y2 / 32] },
            ]
        }
    }

    func candidates(
        _ outputs: [Tensor],
        picture: Int = 0,
        confidence: Float = 0.25,
        classes: Set<Int>? = nil
    ) throws -> [Candidate] {
        try head().candidates(
            in: outputs,
            picture: picture,
            input: Self.input,
            filter: CandidateFilter(confidence: confidence, classes: classes)
        )
    }

    private static let nothing = RawObject(
        box: Box(x1: 0, y1: 0, x2: 1, y2: 1),
        scores: .init(repeating: 0, count: classes)
    )

    /// The best score and its class.
    private static func best(_ object: RawObject) -> [Float] {
        let place = object.scores.indices.max { object.scores[$0] < object.scores[$1] } ?? 0
        let first = object.scores.firstIndex(of: object.scores[place]) ?? place
        return [object.scores[place], Float(first)]
    }

    private static func centred(_ box: Box) -> [Float] {
        [(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2, box.width, box.height]
    }

    /// The inverse of YOLOX's decoding: the row says which grid's cell it belongs to.
    private static func offsets(of box: Box, row: Int) -> [Float] {
        let (first, stride) = row < 16 ? (0, 8) : row < 20 ? (16, 16) : (20, 32)
        let columns = 32 / stride
        let cell = (x: Float((row - first) % columns), y: Float((row - first) / columns))
        let values = centred(box).map { $0 / Float(stride) }
        return [values[0] - cell.x, values[1] - cell.y, log(values[2]), log(values[3])]
    }
}

extension Tensor {
    /// A tensor of these numbers in single or half precision.
    static func numbers(_ values: [Float], shape: [Int], as element: ElementType) throws -> Tensor {
        element == .float16
            ? try Tensor(values.map { Float16($0) }, shape: shape) : try Tensor(values, shape: shape)
    }
}

/// The representable numbers at and on both sides of a threshold.
func neighbours(of threshold: Float, as element: ElementType) -> [Float] {
    if element == .float16 {
        let nearest = Float16(threshold)
        return [nearest.nextDown, nearest, nearest.nextUp].map { Float($0) }
    }
    return [threshold.nextDown, threshold, threshold.nextUp]
}

extension Box {
    /// Whether all edges are within a distance of another box's.
    func isNear(_ other: Box, within distance: Float) -> Bool {
        [x1 - other.x1, y1 - other.y1, x2 - other.x2, y2 - other.y2].allSatisfy { abs($0) <= distance }
    }
}
