// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference
import TestSupport
import Testing

@testable import NereidVision

@Suite("Heads on raw maps")
struct MapHeadTests {
    static func sigma(_ logit: Float) -> Float { 1 / (1 + exp(-logit)) }

    static func candidates(
        _ head: some Head,
        _ sample: MapSample,
        _ filter: CandidateFilter = .init(confidence: 0.25),
        as element: ElementType = .float32
    ) throws -> [Candidate] {
        try head.candidates(
            in: sample.tensors(batch: 2, at: 1, as: element),
            picture: 1,
            input: MapSample.input,
            filter: filter
        )
    }

    @Test("decode YOLOv5's logits by its formula", arguments: HeadTests.elements)
    func yolov5(element: ElementType) throws {
        var sample = MapSample.yolov5
        // The second anchor of cell 6 (column 2, row 1) at stride 16.
        sample.write("map1", channel: 7, cell: 6, [0.5, -0.25, 0.125, -0.5, 2, -1, 1.5])
        let head = try YOLOv5MapsHead(fitting: sample.evidence)
        #expect(head.classCount == 2)
        let found = try Self.candidates(head, sample, as: element)
        try #require(found.count == 1)
        let part = [0.5, -0.25, 0.125, -0.5].map { 2 * Self.sigma($0) }
        let expected = Box(
            centreX: (part[0] - 0.5 + 2) * 16,
            centreY: (part[1] - 0.5 + 1) * 16,
            width: part[2] * part[2] * 61,
            height: part[3] * part[3] * 45
        )
        #expect(found[0].box.isNear(expected, within: 1e-3))
        #expect(abs(found[0].score - Self.sigma(2) * Self.sigma(1.5)) < 1e-6)
        #expect(found[0].classID == 1)
    }

    @Test("give a box without a width for an anchor without one, as YOLOv5 does")
    func yolov5AnchorOfNoWidth() throws {
        var sample = MapSample.yolov5
        sample.metadata["nereid.anchors"] = "[[[10, 12.5], [16, 30]], [[33, 23], [0.0, 45]]]"
        sample.write("map1", channel: 7, cell: 6, [0.5, -0.25, 0.125, -0.5, 2, -1, 1.5])
        sample.write("map1", channel: 0, cell: 6, [0.5, -0.25, 0.125, -0.5, 2, -1, 1])
        let head = try YOLOv5MapsHead(fitting: sample.evidence)
        #expect(head.classCount == 2)
        let found = try Self.candidates(head, sample)
        try #require(found.count == 2)
        #expect(found.map { $0.box.width > 0 } == [true, false])
        let height = 2 * Self.sigma(-0.5)
        #expect(abs(found[1].box.height - height * height * 45) < 1e-3)
        #expect(found[1].box.x1 == found[1].box.x2)
    }

    @Test("want YOLOv5's objectness and its product with the class above the threshold")
    func yolov5Threshold() throws {
        var sample = MapSample.yolov5
        let logit = log(Float(0.3) / 0.7)
        sample.write("map0", channel: 4, cell: 0, [logit, 20, 0])  // objectness 0.3, class 1
        sample.write("map0", channel: 4, cell: 1, [20, logit, 0])  // objectness 1, classes 0.3 and 0.5
        sample.write("map0", channel: 4, cell: 2, [0, 0, -5])  // 0.5 · 0.5
        let head = try YOLOv5MapsHead(fitting: sample.evidence)
        let scores = try Self.candidates(head, sample).map { ($0.score * 1e5).rounded() / 1e5 }
        #expect(scores == [0.3, 0.5])
        // 0.25 is not above 0.25.
        #expect(try Self.candidates(head, sample, .init(confidence: 0.24999)).count == 3)
        #expect(try Self.candidates(head, sample, .init(confidence: 0.4)).count == 1)
        #expect(try Self.candidates(head, sample, .init(confidence: 1)).isEmpty)
        #expect(try Self.candidates(head, sample, .init(confidence: 0.25, classes: [1])).map(\.classID) == [1])
        // At zero everything passes, twice 40 anchors.
        #expect(try Self.candidates(head, sample, .init(confidence: 0)).count == 80)
        for values in [[Float.nan, 20, 20], [20, .nan, .nan]] {
            var broken = sample
            broken.write("map0", channel: 4, cell: 3, values)
            #expect(throws: HeadMisfit.scoreIsNaN) { try Self.candidates(head, broken) }
        }
    }

    @Test("find each YOLOv5 anchor's own mask coefficients, weighted by its objectness")
    func yolov5Masks() throws {
        var sample = MapSample.yolov5Masks
        for (level, cell, anchor) in [(0, 31, 0), (0, 5, 1), (1, 7, 1)] {
            let mark = Float(level * 100 + cell)
            sample.write("map\(level)", channel: anchor * 10 + 4, cell: cell, [0, 9, 0, mark, -mark, 0.5])
        }
        let head = try YOLOv5MapsHead(fitting: sample.evidence)
        #expect(head.extra == .masks(coefficients: 3, prototypes: 2, rule: .sigmoidThenEnlarge))
        #expect(head.task == .segment)
        let outputs = try sample.tensors(batch: 2, at: 1)
        let extras = try Self.candidates(head, sample).map {
            try head.extras(of: $0, in: outputs, picture: 1, input: MapSample.input)
        }
        #expect(extras == [[15.5, -15.5, 0.25], [2.5, -2.5, 0.25], [53.5, -53.5, 0.25]])
    }

    @Test("take the mean of YOLOv8's bins, and the best class of each cell", arguments: HeadTests.elements)
    func yolov8(element: ElementType) throws {
        var sample = MapSample.yolov8
        let logits: [Float] = [0.5, 1, -1, 2, 0, 0, 0, 0, 3, 0, 0, 0, -2, -2, 5, 1]
        sample.write("boxes0", cell: 10, logits)
        sample.write("classes0", cell: 10, [0, 1.25, 1])
        let head = try YOLOv8MapsHead(fitting: sample.evidence)
        #expect(head.needsSuppression)
        let found = try Self.candidates(head, sample, as: element)
        try #require(found.count == 1)
        let sides = (0..<4).map { side -> Float in
            let weights = logits[side * 4..<side * 4 + 4].map { exp($0) }
            return zip(weights, [0, 1, 2, 3]).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +)
        }
        // Cell 10 is column 2, row 1.
        let expected = Box(
            x1: (2.5 - sides[0]) * 8,
            y1: (1.5 - sides[1]) * 8,
            x2: (2.5 + sides[2]) * 8,
            y2: (1.5 + sides[3]) * 8
        )
        #expect(found[0].box.isNear(expected, within: 1e-3))
        #expect((found[0].classID, found[0].score) == (1, Self.sigma(1.25)))
        #expect(try Self.candidates(head, sample, .init(confidence: 0.25, classes: [2])).isEmpty)
        #expect(try Self.candidates(head, sample, .init(confidence: Self.sigma(1.25))).isEmpty)
        #expect(try Self.candidates(head, sample, .init(confidence: Self.sigma(1.25).nextDown)).count == 1)
    }

    @Test("let a one-to-one head choose among pairs of cell and class")
    func oneToOne() throws {
        var sample = MapSample.oneToOne
        sample.write("classes0", cell: 3, [2, 1.5, -9])
        sample.write("classes0", cell: 4, [-9, 1, 0.5])
        sample.write("classes1", cell: 0, [-9, -9, 1.75])
        let head = try YOLOv8MapsHead(fitting: sample.evidence)
        #expect(!head.needsSuppression)
        func pairs(_ filter: CandidateFilter) throws -> Set<[Int]> {
            Set(try Self.candidates(head, sample, filter).map { [$0.place, $0.classID] })
        }
        let all: Set = [[3, 0], [3, 1], [4, 1], [4, 2], [32, 2]]
        #expect(try pairs(.init(confidence: 0.25)) == all)
        // The two best cells are 3 and 32; of their pairs the two best are the best of each.
        #expect(try pairs(.init(confidence: 0.25, maxDetections: 2)) == [[3, 0], [32, 2]])
        // The three best pairs are among the three best cells, though cell 4 has none of them.
        #expect(try pairs(.init(confidence: 0.25, maxDetections: 3)) == [[3, 0], [32, 2], [3, 1]])
        #expect(try pairs(.init(confidence: 0.25, classAgnostic: true)) == [[3, 0], [4, 1], [32, 2]])
        // Classes are left out after the choice, as in the framework.
        #expect(try pairs(.init(confidence: 0.25, classes: [1], maxDetections: 3)) == [[3, 1]])
        #expect(try pairs(.init(confidence: 0.8)) == [[3, 0], [3, 1], [32, 2]])
    }

    @Test("place keypoints by the cell's centre")
    func pose() throws {
        var sample = MapSample.yolov8Pose
        sample.write("classes1", cell: 6, [3, 0, 0])
        sample.write("keypoints1", cell: 6, [0.25, -1, 2, -0.5, 0.5, -3])
        let head = try YOLOv8MapsHead(fitting: sample.evidence)
        #expect((head.extra, head.task) == (.keypoints(count: 2, values: 3), .pose))
        let found = try #require(try Self.candidates(head, sample).first)
        let extras = try head.extras(of: found, in: sample.tensors(batch: 2, at: 1), picture: 1, input: MapSample.input)
        // Cell 6 is column 2, row 1 of stride 16: its centre is at (40, 24).
        #expect(extras == [44, 8, Self.sigma(2), 32, 32, Self.sigma(-3)])
    }

    @Test("turn boxes about where their distances meet")
    func turned() throws {
        var sample = MapSample.yolov8Turned
        let angle = Float.pi / 2
        sample.write("classes0", cell: 9, [3, 0, 0])
        sample.write("boxes0", cell: 9, [1, 0.5, 2, 1.5])
        sample.write("angles0", cell: 9, [angle])
        let head = try YOLOv8MapsHead(fitting: sample.evidence)
        #expect((head.extra, head.task) == (.angle, .obb))
        let found = try #require(try Self.candidates(head, sample).first)
        // Cell 9 has its centre at (12, 12). Half a cell along x and half along y, turned by a quarter: -0.5 and 0.5.
        #expect(found.box.isNear(Box(centreX: 8, centreY: 16, width: 24, height: 16), within: 1e-4))
        #expect(found.angle == angle)
    }

    @Test("find each cell's own mask coefficients")
    func masks() throws {
        var sample = MapSample.yolov8Masks
        sample.write("classes0", cell: 31, [3, 0, 0])
        sample.write("masks0", cell: 31, [1, 2, 3])
        sample.write("classes1", cell: 0, [3, 0, 0])
        sample.write("masks1", cell: 0, [4, 5, 6])
        let head = try YOLOv8MapsHead(fitting: sample.evidence)
        #expect(head.extra == .masks(coefficients: 3, prototypes: 6, rule: .enlargeLogits))
        let outputs = try sample.tensors(batch: 2, at: 1)
        let extras = try Self.candidates(head, sample).map {
            try head.extras(of: $0, in: outputs, picture: 1, input: MapSample.input)
        }
        #expect(extras == [[1, 2, 3], [4, 5, 6]])
    }

    @Test("refuse maps that are not what the metadata say")
    func misfits() throws {
        func reason(_ sample: MapSample, _ change: (inout MapSample) -> Void) -> String {
            var sample = sample
            change(&sample)
            let kind: HeadKind = sample.metadata["nereid.layout"] == "yolov5.maps" ? .yolov5Maps : .yolov8Maps
            return #expect(throws: HeadMisfit.self) { try kind.head.init(fitting: sample.evidence) }?.reason ?? ""
        }
        #expect(reason(.yolov5) { $0.metadata["nereid.strides"] = "[8, 0]" }.contains("nereid.strides"))
        #expect(reason(.yolov5) { $0.metadata["nereid.strides"] = "[8, 16, 32]" }.contains("nereid.anchors"))
        #expect(reason(.yolov5) { $0.metadata["nereid.anchors"] = "[[[1, 2]], [[1, -2]]]" }.contains("nereid.anchors"))
        #expect(reason(.yolov5) { $0.metadata["nereid.masks"] = "-1" }.contains("nereid.masks"))
        #expect(reason(.yolov5) { $0.metadata["nereid.masks"] = "3" }.contains("no output ‘prototypes’"))
        #expect(reason(.yolov5) { $0.names[1] = "other" }.contains("no output ‘map1’"))
        #expect(reason(.yolov5) { $0.shapes[1][1] = 12 }.contains("output ‘map1’ is [1, 12, 2, 4]"))
        #expect(reason(.yolov5) { $0.shapes = $0.shapes.map { [1, 15] + $0.dropFirst(2) } }.contains("15 channels"))
        #expect(reason(.yolov8) { $0.metadata["nereid.reg_max"] = "none" }.contains("nereid.reg_max"))
        #expect(reason(.yolov8) { $0.metadata["nereid.reg_max"] = "16" }.contains("output ‘boxes0’"))
        #expect(reason(.yolov8Pose) { $0.metadata["kpt_shape"] = nil }.contains("kpt_shape"))
        // What a run gives is checked again.
        let sample = MapSample.yolov8
        let head = try YOLOv8MapsHead(fitting: sample.evidence)
        var other = sample
        other.shapes[0] = [1, 16, 4, 4]
        other.values[0] = [Float](repeating: 0, count: 16 * 16)
        let misfit = #expect(throws: HeadMisfit.self) { try Self.candidates(head, other) }
        #expect(misfit?.reason.contains("16 channels of 32 cells") == true)
    }

    @Test("look only at numbers above a threshold, whatever their count")
    func sweep() {
        var generator = SeededGenerator(seed: 3)
        for count in [0, 1, 15, 16, 17, 64, 100] {
            let numbers = (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
            for threshold in [-2, -0.5, 0.9, 2, -Float.infinity] {
                var found: [Int] = []
                numbers.span.forEachIndex(above: threshold) { found.append($0) }
                #expect(found == numbers.indices.filter { numbers[$0] > threshold })
            }
        }
        for probability in [Float(0.001), 0.1, 0.25, 0.5, 0.9, 0.999] {
            let logit = logitThreshold(probability)
            #expect(sigmoid(logit) < probability)
            #expect(abs(sigmoid(logit) - probability) < 1e-3)
        }
        #expect(logitThreshold(0) == -.infinity)
        #expect(logitThreshold(1) > 1e30)
    }
}
