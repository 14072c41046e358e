// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A picture as plain pixels: 8-bit sRGB, red, green and blue, rows from the top, upright.
///
/// The pixels are shared between copies and never change.
public struct Picture: Sendable {
    /// Width and height in pixels, both at least 1.
    public let size: PixelSize
    /// The format that the picture was decoded from; nil when it was made from pixels.
    public let format: PictureFormat?
    /// When it was taken, as its EXIF data says; nil when it does not, and when the picture was made from pixels.
    public let taken: CaptureTime?

    /// `height` rows of `width` times three bytes, nothing between them.
    let pixels: [UInt8]

    /// The part of the pool's budget that the pixels take; `nil` outside of a pool.
    private let memory: DecodingMemory?

    /// Pixels from left to right.
    public var width: Int { size.width }
    /// Pixels from top to bottom.
    public var height: Int { size.height }

    /// Makes a picture from interleaved pixels.
    ///
    /// - Parameter pixels: `width * height * 3` bytes: red, green, blue of the top left pixel first, row after row.
    /// - Throws: ``ImagingError/wrongPixelCount(size:bytes:)`` when the count differs or a side is below 1.
    public init(width: Int, height: Int, pixels: [UInt8]) throws {
        let size = PixelSize(width: width, height: height)
        let (area, overflow) = width.multipliedReportingOverflow(by: height)
        guard width > 0, height > 0, !overflow, pixels.count.isMultiple(of: 3), pixels.count / 3 == area else {
            throw ImagingError.wrongPixelCount(size: size, bytes: pixels.count)
        }
        self.init(size: size, format: nil, pixels: pixels)
    }

    /// Trusts its caller that the pixels fit the size.
    init(
        size: PixelSize,
        format: PictureFormat?,
        taken: CaptureTime? = nil,
        pixels: [UInt8],
        memory: DecodingMemory? = nil
    ) {
        assert(pixels.count == size.pixelCount * 3)
        self.size = size
        self.format = format
        self.taken = taken
        self.pixels = pixels
        self.memory = memory
    }

    /// Lends the pixels without copying: `height * width * 3` bytes, red, green, blue, rows from the top.
    public func withPixels<R>(_ body: (Span<UInt8>) throws -> R) rethrows -> R {
        try body(pixels.span)
    }
}
