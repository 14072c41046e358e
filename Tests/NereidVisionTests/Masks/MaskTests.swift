// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import TestSupport
import Testing

@testable import NereidVision

@Suite("Mask")
struct MaskTests {
    /// A mask drawn in letters, row by row: `#` is inside.
    static func mask(_ rows: String...) throws -> Mask {
        let rows = rows.map(Array.init)
        var builder = MaskBuilder(size: PixelSize(width: rows[0].count, height: rows.count))
        for column in rows[0].indices {
            for row in rows.indices where rows[row][column] == "#" { builder.add(column: column, rows: row..<row + 1) }
        }
        return builder.mask()
    }

    static func noise(seed: UInt64, width: Int, height: Int) -> Mask {
        var generator = SeededGenerator(seed: seed)
        var builder = MaskBuilder(size: PixelSize(width: width, height: height))
        for column in 0..<width {
            for row in 0..<height where Bool.random(using: &generator) {
                builder.add(column: column, rows: row..<row + 1)
            }
        }
        return builder.mask()
    }

    @Test("counts down the columns, outside first")
    func counts() throws {
        #expect(try Self.mask("##.", "#.#").counts == [0, 3, 2, 1])
        #expect(try Self.mask("..", "..").counts == [4])
        #expect(try Self.mask("##", "##").counts == [0, 4])
        #expect(try Self.mask(".#", ".#").counts == [2, 2])
        #expect(try Self.mask("##.", "#.#").area == 4)
        #expect(try Self.mask("..", "..").isEmpty)
        #expect(try !Self.mask("##", "##").isEmpty)
    }

    @Test("knows its pixels")
    func contains() throws {
        let mask = try Self.mask("#..", ".##")
        let inside = (0..<2).map { y in (0..<3).map { mask.contains(x: $0, y: y) } }
        #expect(inside == [[true, false, false], [false, true, true]])
    }

    @Test("takes only runs that fill the picture")
    func sizes() {
        let size = PixelSize(width: 3, height: 2)
        #expect(Mask(size: size, counts: [1, 2, 3]) != nil)
        #expect(Mask(size: size, counts: [1, 2, 2]) == nil)
        #expect(Mask(size: size, counts: [1, 2, 4]) == nil)
        #expect(Mask(size: size, counts: []) == nil)
        #expect(Mask(size: PixelSize(width: .max, height: 2), counts: [1]) == nil)
        #expect(Mask(size: PixelSize(width: -1, height: -6), counts: [6]) == nil)
    }

    /// What `pycocotools` 2.0.11 makes of these run lengths.
    static let texts: [(PixelSize, [UInt32], String)] = [
        (PixelSize(width: 3, height: 2), [0, 3, 2, 1], "032N"),
        (PixelSize(width: 2, height: 2), [4], "4"),
        (PixelSize(width: 480, height: 640), [403, 77, 403, 77, 306_240], "c<]2c<0]eZ9"),
        (PixelSize(width: 100, height: 100), [10, 20, 30, 15, 16, 31, 9878], ":d0n0KB`0Vd9"),
    ]

    @Test("has the short text of COCO's tools, and is read from it", arguments: texts)
    func compressed(size: PixelSize, counts: [UInt32], text: String) throws {
        let mask = try #require(Mask(size: size, counts: counts))
        #expect(mask.compressedCounts == text)
        #expect(Mask(size: size, compressedCounts: text) == mask)
    }

    @Test("is the same after a way through the short text", arguments: UInt64(0)..<20)
    func there(seed: UInt64) {
        let mask = Self.noise(seed: seed, width: Int(seed) + 1, height: 2 * Int(seed) + 1)
        #expect(Mask(size: mask.size, compressedCounts: mask.compressedCounts) == mask)
    }

    @Test(
        "is not read from what is no text of a mask",
        arguments: ["", "5", "4P", "\u{7f}", "P", "ooooooooo0", "4é", "/"]
    )
    func damaged(text: String) {
        #expect(Mask(size: PixelSize(width: 2, height: 2), compressedCounts: text) == nil)
    }

    @Test("has a border around each part, along the edges of pixels")
    func polygons() throws {
        func corners(_ mask: Mask) -> [[[Float]]] { mask.polygons.map { $0.map { [$0.x, $0.y] } } }
        #expect(try corners(Self.mask("...", ".#.", "...")) == [[[2, 1], [2, 2], [1, 2], [1, 1]]])
        #expect(try corners(Self.mask("##", "##")) == [[[2, 0], [2, 2], [0, 2], [0, 0]]])
        // Touching at a corner does not make one part of two.
        #expect(
            try corners(Self.mask("#.", ".#")) == [
                [[1, 0], [1, 1], [0, 1], [0, 0]], [[2, 1], [2, 2], [1, 2], [1, 1]],
            ]
        )
        // A hole has a border, but no polygon.
        let ring = try Self.mask("###", "#.#", "###")
        #expect(corners(ring) == [[[3, 0], [3, 3], [0, 3], [0, 0]]])
        #expect(ring.borders.count == 2)
        #expect(try corners(Self.mask("..", "..")).isEmpty)
    }

    @Test("has polygons with fewer corners, none of which strays far")
    func simplified() throws {
        // A triangle of stairs, and a disc.
        var stairs = MaskBuilder(size: PixelSize(width: 60, height: 60))
        for column in 0..<60 { stairs.add(column: column, rows: 59 - column..<60) }
        let triangle = stairs.mask()
        #expect(triangle.polygons[0].count > 100)
        #expect(triangle.polygons(within: 0.75)[0].count < 8)
        var round = MaskBuilder(size: PixelSize(width: 60, height: 60))
        for column in 0..<60 {
            let half = Int((900 - Double((column - 30) * (column - 30))).squareRoot())
            round.add(column: column, rows: 30 - half..<30 + half)
        }
        let disc = round.mask()
        let polygon = try #require(disc.polygons(within: 0.75).first)
        #expect(polygon.count < disc.polygons[0].count / 2)
        let area = zip(polygon, polygon.dropFirst() + polygon.prefix(1)).reduce(Float(0)) { sum, sides in
            sum + (sides.0.x * sides.1.y - sides.1.x * sides.0.y) / 2
        }
        #expect(abs(area - Float(disc.area)) < 0.02 * Float(disc.area))
        // What is too small for less stays, and no tolerance changes nothing.
        #expect(try Self.mask("...", ".#.", "...").polygons(within: 5)[0].count == 4)
        #expect(disc.polygons(within: 0) == disc.polygons)
    }

    @Test("has borders that hold exactly its pixels", arguments: UInt64(0)..<12)
    func area(seed: UInt64) {
        let mask = Self.noise(seed: seed, width: 4 + Int(seed), height: 17)
        let borders = mask.borders
        #expect(borders.reduce(0) { $0 + Mask.signedArea($1) } == 2 * mask.area)
        for border in borders {
            #expect(border.count >= 4)
            for (a, b) in zip(border, border.dropFirst() + border.prefix(1)) { #expect((a.x == b.x) != (a.y == b.y)) }
        }
        // An even-odd count of the borders to the left tells inside from outside.
        for y in 0..<mask.size.height {
            for x in 0..<mask.size.width {
                let crossings = borders.reduce(0) { count, border in
                    count
                        + zip(border, border.dropFirst() + border.prefix(1)).count { a, b in
                            a.x == b.x && a.x <= x && min(a.y, b.y) <= y && y < max(a.y, b.y)
                        }
                }
                #expect(mask.contains(x: x, y: y) == !crossings.isMultiple(of: 2))
            }
        }
    }
}
