// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference
import TestSupport
import Testing

@testable import NereidVision

@Suite("YOLO heads")
struct YOLOHeadTests {
    @Test("YOLOv5 multiplies objectness and class, and both must pass", arguments: HeadTests.elements)
    func objectness(element: ElementType) throws {
        let head = try YOLOv5Head(fitting: HeadEvidence([1, 4, 7], labels: 2))
        let rows: [[Float]] = [
            [8, 8, 4, 4, 0.5, 0.25, 0.75],
            [8, 8, 4, 4, 0.25, 1, 1],
            [8, 8, 4, 4, 0.375, 0.5, 0.625],
            [8, 8, 4, 4, 1, 0.3125, 0.25],
        ]
        let output = try Tensor.numbers(rows.flatMap(\.self), shape: [1, 4, 7], as: element)
        let candidates = try head.candidates(
            in: [output],
            picture: 0,
            input: PixelSize(width: 32, height: 32),
            filter: CandidateFilter(confidence: 0.25)
        )
        #expect(candidates.map(\.score) == [0.375, 0.3125])
        #expect(candidates.map(\.classID) == [1, 0])
    }

    @Test("YOLOX decodes every cell of its three grids by the formula")
    func yoloxFormula() throws {
        let input = PixelSize(width: 64, height: 32)
        let cells = 8 * 4 + 4 * 2 + 2 * 1
        let head = try YOLOXHead(fitting: HeadEvidence([1, cells, 6], input: input))
        var generator = SeededGenerator(seed: 9)
        let rows = (0..<cells).map { _ in
            (0..<4).map { _ in Float.random(in: -1...1, using: &generator) } + [1, 0.5]
        }
        let candidates = try head.candidates(
            in: [Tensor(rows.flatMap(\.self), shape: [1, cells, 6])],
            picture: 0,
            input: input,
            filter: CandidateFilter(confidence: 0.25)
        )
        var expected: [Box] = []
        for stride in [8, 16, 32] {
            for row in 0..<input.height / stride {
                for column in 0..<input.width / stride {
                    let raw = rows[expected.count]
                    expected.append(
                        Box(
                            centreX: (raw[0] + Float(column)) * Float(stride),
                            centreY: (raw[1] + Float(row)) * Float(stride),
                            width: exp(raw[2]) * Float(stride),
                            height: exp(raw[3]) * Float(stride)
                        )
                    )
                }
            }
        }
        try #require(candidates.count == cells)
        for (candidate, box) in zip(candidates, expected) { #expect(candidate.box.isNear(box, within: 1e-3)) }
    }

    @Test("YOLOX refuses rows for another input size than this one")
    func yoloxOtherSize() throws {
        let head = try HeadLayout.yolox.head()
        let misfit = #expect(throws: HeadMisfit.self) {
            try head.candidates(
                in: HeadLayout.yolox.outputs([[]], as: .float32),
                picture: 0,
                input: PixelSize(width: 64, height: 64),
                filter: CandidateFilter(confidence: 0.25)
            )
        }
        #expect(misfit?.reason.contains("64×64") == true)
    }

    @Test("YOLOv8 does not take mask coefficients for classes", arguments: HeadTests.elements)
    func masks(element: ElementType) throws {
        let head = try YOLOv8Head(fitting: HeadEvidence([1, 4 + 2 + 3, 21], [1, 3, 8, 8], input: HeadLayout.input))
        #expect(head.classCount == 2)
        // Everything but the last three planes, the coefficients, is small.
        let values = (0..<9 * 21).map { Float($0 < 6 * 21 ? 0.125 : 4) }
        let candidates = try head.candidates(
            in: [.numbers(values, shape: [1, 9, 21], as: element)],
            picture: 0,
            input: HeadLayout.input,
            filter: CandidateFilter(confidence: 0.25)
        )
        #expect(candidates.isEmpty)
    }

    @Test(
        "the end-to-end head drops rows that fill up, and refuses classes that are none",
        arguments: HeadTests.elements
    )
    func classNumbers(element: ElementType) throws {
        let head = try EndToEndHead(fitting: HeadEvidence([1, 2, 6]))
        #expect(!head.needsSuppression)
        func candidates(_ numbers: [Float]) throws -> [Candidate] {
            let rows = numbers.map { [0, 0, 8, 8, 0.5, $0] }
            return try head.candidates(
                in: [.numbers(rows.flatMap(\.self), shape: [1, rows.count, 6], as: element)],
                picture: 0,
                input: HeadLayout.input,
                filter: CandidateFilter(confidence: 0.25)
            )
        }
        #expect(try candidates([-1, 65]).map(\.classID) == [65])
        for number in [Float.nan, .infinity, -2, 2.5] {
            let misfit = #expect(throws: HeadMisfit.self) { try candidates([number, 0]) }
            #expect(misfit?.isValue == true)
        }
    }
}
