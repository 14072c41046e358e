// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

@Suite("YOLO-FastestV2 head")
struct FastestV2HeadTests {
    static let input = PixelSize(width: 64, height: 32)
    /// Columns and rows of the grids at strides 16 and 32.
    static let grids = [(columns: 4, rows: 2), (columns: 2, rows: 1)]
    static let classes = 2

    /// Six maps in which nothing is to be seen, to be written on.
    struct Maps {
        var values: [[Float]] = grids.flatMap { grid in
            [(12, Float(0)), (3, -20), (classes, 0)].map { channels, value in
                [Float](repeating: value, count: channels * grid.columns * grid.rows)
            }
        }

        /// Writes one anchor's logits.
        mutating func write(
            level: Int,
            cell: Int,
            anchor: Int,
            box: [Float],
            objectness: Float,
            classes: [Float]
        ) {
            let cells = grids[level].columns * grids[level].rows
            for (index, value) in box.enumerated() { values[level * 3][(anchor * 4 + index) * cells + cell] = value }
            values[level * 3 + 1][anchor * cells + cell] = objectness
            for (index, value) in classes.enumerated() { values[level * 3 + 2][index * cells + cell] = value }
        }

        func tensors(as element: ElementType) throws -> [Tensor] {
            try zip(values, shapes).map { try .numbers($0, shape: $1, as: element) }
        }
    }

    static let shapes = grids.flatMap { grid in [12, 3, classes].map { [1, $0, grid.rows, grid.columns] } }

    static func head() throws -> FastestV2Head {
        try FastestV2Head(
            fitting: HeadEvidence(
                outputs: shapes.enumerated().map { .init(name: "\($0)", shape: $1) },
                input: input,
                labelCount: nil
            )
        )
    }

    func candidates(
        _ maps: Maps,
        confidence: Float = 0.25,
        classes: Set<Int>? = nil,
        as element: ElementType = .float32
    ) throws -> [Candidate] {
        try Self.head().candidates(
            in: maps.tensors(as: element),
            picture: 0,
            input: Self.input,
            filter: CandidateFilter(confidence: confidence, classes: classes)
        )
    }

    @Test("applies sigmoid, softmax and anchors by the formula", arguments: HeadTests.elements)
    func formula(element: ElementType) throws {
        func sigmoid(_ logit: Float) -> Float { 1 / (1 + exp(-logit)) }
        var maps = Maps()
        let box: [Float] = [0.5, -0.25, 0.125, -0.5]
        maps.write(level: 1, cell: 1, anchor: 2, box: box, objectness: 2, classes: [-1, 1.5])
        let found = try #require(try candidates(maps, as: element).first)
        let part = box.map { 2 * sigmoid($0) }
        let expected = Box(
            centreX: (part[0] - 0.5 + 1) * 32,
            centreY: (part[1] - 0.5) * 32,
            width: part[2] * part[2] * 279.92,
            height: part[3] * part[3] * 258.87
        )
        #expect(found.box.isNear(expected, within: 1e-3))
        #expect(found.classID == 1)
        #expect(abs(found.score - sigmoid(2) * exp(1.5) / (exp(1.5) + exp(-1))) < 1e-6)
    }

    @Test("reads each anchor of a cell by its own numbers")
    func anchors() throws {
        var maps = Maps()
        for anchor in 0..<3 {
            maps.write(level: 0, cell: 6, anchor: anchor, box: [0, 0, 0, 0], objectness: 3, classes: [9, 0])
        }
        let found = try candidates(maps)
        // All logits are 0: the centre is the cell's, the size the anchor's.
        #expect(found.map(\.box.width).map { ($0 * 100).rounded() / 100 } == [12.64, 37.88, 55.71])
        for candidate in found {
            #expect(abs((candidate.box.x1 + candidate.box.x2) / 2 - 40) < 1e-3)
            #expect(abs((candidate.box.y1 + candidate.box.y2) / 2 - 24) < 1e-3)
        }
    }

    @Test("keeps what passes the threshold and was asked for")
    func filter() throws {
        var maps = Maps()
        maps.write(level: 0, cell: 0, anchor: 0, box: [0, 0, 0, 0], objectness: 20, classes: [0, 0])
        // The sigmoid of 20 is 1 in single precision, and two equal classes share it.
        #expect(try candidates(maps).map(\.score) == [0.5])
        #expect(try candidates(maps, confidence: 0.5).isEmpty)
        #expect(try candidates(maps, confidence: Float(0.5).nextDown).map(\.classID) == [0])
        #expect(try candidates(maps, classes: [1]).isEmpty)
        #expect(try candidates(Maps()).isEmpty)
    }

    @Test("does not take maps at other strides for its own")
    func misfits() {
        func misfit(_ shapes: [[Int]]) -> HeadMisfit? {
            #expect(throws: HeadMisfit.self) {
                try FastestV2Head(
                    fitting: HeadEvidence(
                        outputs: shapes.map { .init(name: "map", shape: $0) },
                        input: Self.input,
                        labelCount: nil
                    )
                )
            }
        }
        #expect(misfit(Array(Self.shapes.dropLast()))?.reason == "not six maps")
        #expect(misfit(Self.shapes.reversed())?.reason.contains("at stride 16") == true)
        var uneven = Self.shapes
        uneven[5][1] = 3
        #expect(misfit(uneven)?.reason == "the two levels differ in classes")
    }
}
