// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging

/// A block of one colour, as the models of Tests/Fixtures/make_fixtures.py detect it.
struct Block: Hashable, Sendable {
    enum Colour: Int, CaseIterable {
        case red, green, blue
    }

    /// The block's place in a grid of squares of 16 × 16 pixels.
    let column: Int
    let row: Int
    let colour: Colour
    /// The other two channels' brightness; the models' score for it is 1 up to 127 and sinks above.
    var paleness: UInt8 = 0

    static let side = 16
    /// A picture this wide goes through the models as it is, without being resized.
    static let columns = 40

    /// The block with a number, counted along the rows, with the colours by turns.
    init(number: Int) {
        self.init(
            column: number % Self.columns,
            row: number / Self.columns,
            colour: Colour.allCases[number % Colour.allCases.count]
        )
    }

    init(column: Int, row: Int, colour: Colour, paleness: UInt8 = 0) {
        (self.column, self.row, self.colour, self.paleness) = (column, row, colour, paleness)
    }

    /// Left, top, right, bottom in pixels.
    var box: [Double] {
        [column, row, column + 1, row + 1].map { Double($0 * Self.side) }
    }

    /// What the models say of it.
    var detection: Detection {
        Detection(label: "\(colour)", classID: colour.rawValue, score: 1, box: box)
    }
}

extension Picture {
    /// A grey picture, 640 pixels wide, with blocks on it.
    ///
    /// - Parameter rows: the height, in blocks.
    static func grey(with blocks: [Block], rows: Int = 2) throws -> Picture {
        let width = Block.columns * Block.side
        var pixels = [UInt8](repeating: 128, count: width * rows * Block.side * 3)
        for block in blocks {
            for y in 0..<Block.side {
                let line = ((block.row * Block.side + y) * width + block.column * Block.side) * 3
                for offset in 0..<Block.side * 3 {
                    pixels[line + offset] = offset % 3 == block.colour.rawValue ? 255 : block.paleness
                }
            }
        }
        return try Picture(width: width, height: rows * Block.side, pixels: pixels)
    }
}

extension ByteBuffer {
    /// A PNG file of a grey picture with blocks.
    static func blocks(_ blocks: Block..., rows: Int = 2) throws -> ByteBuffer {
        try Picture.grey(with: blocks, rows: rows).encoded(as: .png)
    }

    /// Writes all bytes to a file.
    func write(to url: URL) throws {
        try Data(readableBytesView).write(to: url)
    }
}
