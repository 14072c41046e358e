// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference
import TestSupport
import Testing

@testable import NereidVision

@Suite("Anchors, regions and masks of Detectron2")
struct RegionTests {
    @Test("move and scale boxes by deltas, and not beyond the clamp")
    func adjustment() {
        let start = Box(x1: 10, y1: 20, x2: 30, y2: 60)
        let plain = BoxAdjustment(weights: .one)
        #expect(plain.box(start, .zero).isNear(start, within: 1e-4))
        // A tenth of the width to the right, half the height down; twice as wide, half as high.
        let moved = plain.box(start, [0.1, 0.5, log(2), -log(2)])
        #expect(moved.isNear(Box(x1: 2, y1: 50, x2: 42, y2: 70), within: 1e-3))
        let weighted = BoxAdjustment(weights: [10, 10, 5, 5])
        #expect(weighted.box(start, [1, 5, 5 * log(2), -5 * log(2)]).isNear(moved, within: 1e-3))
        #expect(abs(plain.box(start, [0, 0, 100, 0]).width - 20 * 1000 / 16) < 0.1)
    }

    @Test("choose the level by the region's size, and none for what is no box")
    func levels() {
        let levels = RegionLevels(strides: [4, 8, 16, 32])
        func level(_ side: Float) -> Int { levels.level(of: Box(x1: 5, y1: 5, x2: 5 + side, y2: 5 + side)) }
        #expect([1, 50, 111, 113, 223, 225, 447, 449, 5000].map(level) == [0, 0, 0, 1, 1, 2, 2, 3, 3])
        #expect(levels.level(of: Box(x1: 0, y1: 0, x2: 0, y2: 0)) == 0)
        #expect(levels.level(of: Box(x1: .nan, y1: 0, x2: 1, y2: 1)) == 0)
        #expect(RegionLevels(strides: [16]).level(of: Box(x1: 0, y1: 0, x2: 900, y2: 900)) == 0)
    }

    @Test("sort regions by level and know each one's row")
    func sorting() throws {
        let levels = RegionLevels(strides: [4, 8, 16, 32])
        let regions = [600, 10, 300, 20].enumerated().map { index, side in
            (picture: index % 2, box: Box(x1: 0, y1: 0, x2: Float(side), y2: Float(side)))
        }
        let sorted = levels.sorted(regions)
        #expect(sorted.places == [[1, 3], [], [2], [0]])
        #expect(sorted.rows == [3, 0, 2, 1])
        #expect(try sorted.tensor(0).shape == [2, 5])
        #expect(try sorted.tensor(0).floats(at: Array(0..<10)) == [1, 0, 0, 10, 10, 1, 0, 0, 20, 20])
        #expect(try sorted.tensor(1).shape == [0, 5])
    }

    @Test("find the bound of the largest numbers, whatever their signs")
    func largest() {
        var generator = SeededGenerator(seed: 5)
        for count in [1, 10, 100, 999] {
            let logits = (0..<1000).map { (logit: Float.random(in: -50...20, using: &generator), position: $0) }
            let bound = AnchorMaps.bound(ofLargest: count, of: logits)
            let above = logits.count { $0.logit >= bound }
            #expect(above >= count)
            // Sixteen bits leave seven of the fraction: those that are alike to a hundredth stay together.
            #expect(above <= count + 60, "\(above) for \(count)")
        }
        #expect(AnchorMaps.bound(ofLargest: 5, of: [(1, 0)]) == -.infinity)
    }

    @Test("read candidates off maps, the best of each level only")
    func retinaNet() throws {
        // One level of 2×2 cells, two anchors, three classes.
        var classes = [Float](repeating: -9, count: 2 * 3 * 4)
        var deltas = [Float](repeating: 0, count: 2 * 4 * 4)
        classes[(0 * 3 + 1) * 4 + 3] = 2
        classes[(1 * 3 + 2) * 4 + 0] = 1
        classes[(1 * 3 + 0) * 4 + 1] = 0
        deltas[(1 * 4 + 0) * 4 + 0] = 0.5
        let outputs = [try Tensor(classes, shape: [1, 6, 2, 2]), try Tensor(deltas, shape: [1, 8, 2, 2])]
        func head(candidates: Int) throws -> RetinaNetHead {
            try RetinaNetHead(
                fitting: HeadEvidence(
                    outputs: [
                        .init(name: "classes0", shape: [1, 6, 2, 2]), .init(name: "deltas0", shape: [1, 8, 2, 2]),
                    ],
                    input: PixelSize(width: 16, height: 16),
                    labelCount: 3,
                    metadata: [
                        "nereid.layout": "detectron2.retinanet", "nereid.strides": "[8]",
                        "nereid.anchors": "[[[4.0,8.0],[10.0,10.0]]]", "nereid.anchor_offset": "0.0",
                        "nereid.box_weights": "[1.0,1.0,1.0,1.0]", "nereid.candidates": "\(candidates)",
                        "nereid.confidence": "0.05", "nereid.iou": "0.5", "nereid.max_detections": "100",
                    ]
                )
            )
        }
        func found(_ candidates: Int, _ filter: CandidateFilter) throws -> [Candidate] {
            try head(candidates: candidates)
                .candidates(in: outputs, picture: 0, input: PixelSize(width: 16, height: 16), filter: filter)
        }
        let all = try found(10, CandidateFilter(confidence: 0.4))
        #expect(all.map(\.classID) == [1, 2, 0])
        #expect(all[0].box.isNear(Box(x1: 6, y1: 4, x2: 10, y2: 12), within: 1e-4))
        #expect(all[1].box.isNear(Box(x1: 0, y1: -5, x2: 10, y2: 5), within: 1e-4))
        #expect(abs(all[0].score - 1 / (1 + exp(-2))) < 1e-6)
        // Exactly one half is not greater than one half.
        #expect(try found(10, CandidateFilter(confidence: 0.5)).map(\.classID) == [1, 2])
        #expect(try found(2, CandidateFilter(confidence: 0.4)).map(\.classID) == [1, 2])
        #expect(try found(10, CandidateFilter(confidence: 0.4, classes: [0])).map(\.classID) == [0])
        #expect(try head(candidates: 10).defaults.confidence == 0.05)
        #expect(throws: HeadMisfit.self) { try head(candidates: 0) }
    }

    @Test("paste a mask where its box is, and only within the picture")
    func pasting() throws {
        let picture = PixelSize(width: 20, height: 10)
        let paster = MaskPaster(picture: picture)
        let full = [Float](repeating: 1, count: 16)
        let whole = try paster.mask(full, side: 4, box: Box(x1: 4, y1: 2, x2: 12, y2: 8))
        // Half a pixel beyond the box the mask fades to one half and less.
        #expect(whole.area == 8 * 6)
        #expect(whole.contains(x: 4, y: 2) && whole.contains(x: 11, y: 7))
        #expect(!whole.contains(x: 3, y: 2) && !whole.contains(x: 12, y: 7))
        var left = [Float](repeating: 0, count: 16)
        for row in 0..<4 { (left[row * 4], left[row * 4 + 1]) = (1, 1) }
        let half = try paster.mask(left, side: 4, box: Box(x1: 4, y1: 2, x2: 12, y2: 8))
        #expect(half.area == 4 * 6)
        #expect(half.contains(x: 7, y: 5) && !half.contains(x: 8, y: 5))
        let outside = try paster.mask(full, side: 4, box: Box(x1: -8, y1: -8, x2: 4, y2: 4))
        // Towards a corner it fades in both directions.
        #expect(outside.area == 15)
        #expect(!outside.contains(x: 3, y: 3))
        for box in [
            Box(x1: 4, y1: 4, x2: 4, y2: 9), Box(x1: .nan, y1: 0, x2: 1, y2: 1), Box(x1: 30, y1: 0, x2: 40, y2: 5),
        ] {
            #expect(try paster.mask(full, side: 4, box: box).isEmpty)
        }
    }
}
