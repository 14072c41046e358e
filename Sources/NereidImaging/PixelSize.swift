// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A width and a height in whole pixels.
public struct PixelSize: Sendable, Hashable, Codable, CustomStringConvertible {
    /// Pixels from left to right.
    public var width: Int
    /// Pixels from top to bottom.
    public var height: Int

    /// Makes a size of `width` times `height` pixels.
    public init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    /// The size as people write it: `1920×1080`.
    public var description: String {
        "\(width)×\(height)"
    }

    /// Width times height. Both sides must be checked against a limit first: the product of two hostile numbers
    /// does not fit.
    var pixelCount: Int {
        width * height
    }

    /// The same picture lying on its side.
    var transposed: PixelSize {
        PixelSize(width: height, height: width)
    }
}
