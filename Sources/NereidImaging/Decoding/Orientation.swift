// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a stored picture has to be turned to stand upright: the EXIF tag 0x0112 (JEITA CP-3451, section 4.6.4).
enum Orientation: Int, Sendable, CaseIterable {
    case upright = 1
    case mirrored = 2
    case upsideDown = 3
    case upsideDownMirrored = 4
    case transposed = 5
    /// Needs a quarter turn clockwise.
    case quarterTurn = 6
    case transversed = 7
    /// Needs three quarter turns clockwise.
    case threeQuarterTurn = 8

    /// Whether width and height change places.
    var swapsSides: Bool {
        rawValue >= 5
    }

    /// Turns three-byte pixels, stored as a picture of `size`, upright.
    func turn(
        _ pixels: [UInt8],
        of size: PixelSize,
        _ deadline: DecodingDeadline = .init(.init())
    ) throws(ImagingError) -> [UInt8] {
        let (width, height) = (size.width, size.height)
        let turned = swapsSides ? size.transposed : size
        let (right, down) = (3, 3 * width)
        let (lastColumn, lastRow) = (right * (width - 1), down * (height - 1))
        // Where the turned picture's top left pixel is stored, and the steps to its right and lower neighbours.
        let (origin, stepX, stepY) =
            switch self {
            case .upright: (0, right, down)
            case .mirrored: (lastColumn, -right, down)
            case .upsideDown: (lastRow + lastColumn, -right, -down)
            case .upsideDownMirrored: (lastRow, right, -down)
            case .transposed: (0, down, right)
            case .quarterTurn: (lastRow, -down, right)
            case .transversed: (lastRow + lastColumn, -down, -right)
            case .threeQuarterTurn: (lastColumn, down, -right)
            }
        var outcome = Result<Void, ImagingError>.success(())
        let result = [UInt8](unsafeUninitializedCapacity: pixels.count) { destination, count in
            pixels.withUnsafeBufferPointer { source in
                guard let source = source.baseAddress, let destination = destination.baseAddress else { return }
                // Square blocks, because a turned row walks down the stored picture: row by row, every pixel would
                // come from another cache line that is gone before its neighbour is wanted.
                for top in stride(from: 0, to: turned.height, by: Self.blockSide) {
                    outcome = Result { () throws(ImagingError) in try deadline.check() }
                    guard case .success = outcome else { return }
                    for left in stride(from: 0, to: turned.width, by: Self.blockSide) {
                        for y in top..<min(top + Self.blockSide, turned.height) {
                            var from = source + (origin + y * stepY + left * stepX)
                            var to = destination + (y * turned.width + left) * 3
                            for _ in left..<min(left + Self.blockSide, turned.width) {
                                (to[0], to[1], to[2]) = (from[0], from[1], from[2])
                                from += stepX
                                to += 3
                            }
                        }
                    }
                }
            }
            if case .success = outcome { count = pixels.count }
        }
        try outcome.get()
        return result
    }

    private static let blockSide = 64
}
