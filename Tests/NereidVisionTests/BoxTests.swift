// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidVision

@Suite("Box")
struct BoxTests {
    static let unit = Box(x1: 0, y1: 0, x2: 10, y2: 10)

    static let overlaps: [(Box, Float)] = [
        (Box(x1: 0, y1: 0, x2: 10, y2: 10), 1),
        (Box(x1: 5, y1: 0, x2: 15, y2: 10), 50 / 150),
        (Box(x1: 2, y1: 2, x2: 7, y2: 7), 25 / 100),
        (Box(x1: 10, y1: 0, x2: 20, y2: 10), 0),
        (Box(x1: 20, y1: 20, x2: 30, y2: 30), 0),
        (Box(x1: 5, y1: 5, x2: 5, y2: 8), 0),
        (Box(x1: 8, y1: 8, x2: 2, y2: 2), 0),
        (Box(x1: -5, y1: -5, x2: 5, y2: 5), 25 / 175),
    ]

    @Test("has the intersection over union that paper and pencil give", arguments: overlaps)
    func intersectionOverUnion(other: Box, expected: Float) {
        #expect(abs(Self.unit.intersectionOverUnion(other) - expected) < 1e-6)
        #expect(Self.unit.intersectionOverUnion(other) == other.intersectionOverUnion(Self.unit))
    }

    @Test("is the same by its edges and by its centre and size")
    func centre() {
        let box = Box(centreX: 12, centreY: 20, width: 8, height: 30)
        #expect(box == Box(x1: 8, y1: 5, x2: 16, y2: 35))
        #expect((box.width, box.height, box.area) == (8, 30, 240))
    }

    @Test("is finite when all of its edges are", arguments: [Float.nan, .infinity, -.infinity])
    func finite(edge: Float) {
        #expect(Self.unit.isFinite)
        for path in [\Box.x1, \.y1, \.x2, \.y2] {
            var box = Self.unit
            box[keyPath: path] = edge
            #expect(!box.isFinite)
        }
    }
}
