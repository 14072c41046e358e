// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

@testable import NereidVision

/// Raw maps of a converted graph for an input of 64 × 32 pixels, two levels, in which nothing is to be seen, to be written on.
struct MapSample {
    static let input = PixelSize(width: 64, height: 32)
    /// Columns and rows at strides 8 and 16.
    static let grids = [(columns: 8, rows: 4), (columns: 4, rows: 2)]

    var names: [String]
    var shapes: [[Int]]
    var values: [[Float]]
    var metadata: [String: String]
    var task: VisionTask?

    /// The evidence that a first run gives.
    var evidence: HeadEvidence {
        HeadEvidence(
            outputs: zip(names, shapes).map { .init(name: $0, shape: $1) },
            input: Self.input,
            labelCount: nil,
            task: task,
            metadata: metadata
        )
    }

    private init(_ maps: [(name: String, channels: Int, value: Float)], metadata: [String: String], task: VisionTask?) {
        (names, shapes, values) = ([], [], [])
        self.metadata = metadata.merging(["nereid.strides": "[8, 16]"]) { own, _ in own }
        self.task = task
        for (level, grid) in Self.grids.enumerated() {
            for map in maps { add("\(map.name)\(level)", [1, map.channels, grid.rows, grid.columns], map.value) }
        }
    }

    private mutating func add(_ name: String, _ shape: [Int], _ value: Float) {
        names.append(name)
        shapes.append(shape)
        values.append([Float](repeating: value, count: shape.reduce(1, *)))
    }

    /// Two anchors a level, two classes.
    static var yolov5: MapSample {
        MapSample(
            [("map", 2 * 7, -20)],
            metadata: [
                "nereid.layout": "yolov5.maps", "nereid.anchors": "[[[10, 12.5], [16, 30]], [[33, 23], [61, 45]]]",
            ],
            task: nil
        )
    }

    /// The same with three mask coefficients and a quarter's prototypes.
    static var yolov5Masks: MapSample {
        var sample = MapSample(
            [("map", 2 * 10, -20)],
            metadata: yolov5.metadata.merging(["nereid.masks": "3"]) { $1 },
            task: .segment
        )
        sample.add("prototypes", [1, 3, 8, 16], 0)
        return sample
    }

    /// Three classes, four bins.
    static var yolov8: MapSample {
        MapSample(
            [("boxes", 16, 0), ("classes", 3, -20)],
            metadata: ["nereid.layout": "yolov8.maps", "nereid.reg_max": "4", "nereid.suppression": "nms"],
            task: nil
        )
    }

    /// Three classes, distances themselves, and a map of what the task adds.
    private static func plain(_ name: String, _ channels: Int, _ task: VisionTask, _ metadata: [String: String]) -> Self
    {
        MapSample(
            [(name: "boxes", channels: 4, value: Float(0)), (name: "classes", channels: 3, value: -20)]
                + (name.isEmpty ? [] : [(name: name, channels: channels, value: Float(0))]),
            metadata: metadata.merging(["nereid.layout": "yolov8.maps", "nereid.reg_max": "1"]) { $1 },
            task: task
        )
    }

    static var yolov8Turned: MapSample { plain("angles", 1, .obb, [:]) }

    static var yolov8Pose: MapSample { plain("keypoints", 6, .pose, ["kpt_shape": "[2, 3]"]) }

    static var yolov8Masks: MapSample {
        var sample = plain("masks", 3, .segment, ["nereid.masks": "3"])
        sample.add("prototypes", [1, 3, 8, 16], 0)
        return sample
    }

    static var oneToOne: MapSample { plain("", 0, .detect, ["nereid.suppression": "none"]) }

    /// Writes the channels of a cell, from one channel on.
    mutating func write(_ name: String, channel: Int = 0, cell: Int, _ numbers: [Float]) {
        guard let index = names.firstIndex(of: name) else { preconditionFailure("there is no map \(name)") }
        let cells = shapes[index][2] * shapes[index][3]
        for (offset, number) in numbers.enumerated() { values[index][(channel + offset) * cells + cell] = number }
    }

    func tensors(batch: Int = 1, at place: Int = 0, as element: ElementType = .float32) throws -> [Tensor] {
        try zip(values, shapes).map { values, shape in
            // The other pictures of the batch hold what would be found if it were looked at.
            let others = [Float](repeating: 3, count: values.count)
            let all = (0..<batch).flatMap { $0 == place ? values : others }
            return try .numbers(all, shape: [batch] + shape.dropFirst(), as: element)
        }
    }
}
