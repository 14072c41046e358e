// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidVision

/// A block of one colour on a grid, which the fixtures detect exactly.
struct Block: Hashable, CustomStringConvertible {
    enum Colour: Int, CaseIterable {
        case red, green, blue
    }

    let colour: Colour
    let column: Int
    let row: Int
    /// The colour's own channel; the other two are black.
    let brightness: UInt8

    init(_ colour: Colour, column: Int, row: Int, brightness: UInt8 = 255) {
        self.colour = colour
        self.column = column
        self.row = row
        self.brightness = brightness
    }

    /// What the fixtures score a block: twice the margin to the other channels, at most 1.
    var score: Float { min(2 * Float(brightness) / 255, 1) }

    /// The block that a detection is, if its box is a cell of the grid to a thousandth of a pixel and its label the colour.
    ///
    /// Brightness above half scores 1 and is taken for full.
    init?(_ detection: Detection, side: Int) {
        let corner = (column: detection.box.x1 / Float(side), row: detection.box.y1 / Float(side))
        guard let colour = Colour(rawValue: detection.classID), detection.label == "\(colour)" else { return nil }
        let brightness = detection.score > 0.999 ? 255 : UInt8((detection.score * 255 / 2).rounded())
        self.init(colour, column: Int(corner.column.rounded()), row: Int(corner.row.rounded()), brightness: brightness)
        let (mine, found) = (box(side: side), detection.box)
        let differences = [mine.x1 - found.x1, mine.y1 - found.y1, mine.x2 - found.x2, mine.y2 - found.y2]
        guard differences.allSatisfy({ abs($0) < 0.001 }) else { return nil }
    }

    func box(side: Int) -> Box {
        Box(
            x1: Float(column * side),
            y1: Float(row * side),
            x2: Float((column + 1) * side),
            y2: Float((row + 1) * side)
        )
    }

    var description: String { "\(colour) \(brightness) at column \(column), row \(row)" }
}

extension Picture {
    /// A grey picture with blocks on a grid whose cells have this side.
    static func blocks(_ blocks: [Block], width: Int = 160, height: Int = 160, side: Int = 16) throws -> Picture {
        // The grey of letterboxes, so that padding makes no edge.
        var pixels = [UInt8](repeating: 114, count: width * height * 3)
        for block in blocks {
            for y in block.row * side..<(block.row + 1) * side {
                for x in block.column * side..<(block.column + 1) * side {
                    for channel in 0..<3 {
                        pixels[(y * width + x) * 3 + channel] =
                            channel == block.colour.rawValue ? block.brightness : 0
                    }
                }
            }
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    func pixel(x: Int, y: Int) -> [UInt8] {
        withPixels { pixels in (0..<3).map { pixels[(y * width + x) * 3 + $0] } }
    }
}

extension [Detection] {
    /// The detections as blocks; `nil` stands for one that is none.
    func blocks(side: Int = 16) -> Set<Block?> { Set<Block?>(map { Block($0, side: side) }) }
}
