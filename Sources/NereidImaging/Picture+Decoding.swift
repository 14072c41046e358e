// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NIOCore

extension Picture {
    /// Decodes a picture file. The format is told by the bytes themselves.
    ///
    /// Blocks its thread for milliseconds, so call it through ``ImagingPool``. Several pictures can be decoded on
    /// several threads at once.
    ///
    /// What becomes of the many kinds of pixel is what Pillow's `convert("RGB")` and OpenCV do, so that a model sees
    /// what it saw in training: grey is repeated in all three channels; alpha is dropped, not blended; of 16 bits the
    /// high byte remains; colour profiles are ignored; CMYK is multiplied out (in a JPEG it is stored inverted, after
    /// Adobe's custom). What is transparent keeps the colour that is stored for it, in a palette as well. Of an animation or a
    /// file with several pages the first is taken.
    ///
    /// - Parameters:
    ///   - bytes: The whole file.
    ///   - limits: What the picture may cost.
    ///   - appliesOrientation: Whether the picture is turned upright as its EXIF (or TIFF) orientation asks, or, where there is
    ///     none, its XMP. HEIF and AVIF carry their own rotation, which is always applied.
    ///   - limit: When the work must stop. Default: not before it has ended.
    /// - Throws: ``ImagingError``, whose cases tell apart an empty file, bytes that are no picture, kinds that are not read here,
    ///   damage, and pictures beyond the limits.
    public init(
        decoding bytes: ByteBuffer,
        limits: DecodingLimits = DecodingLimits(),
        appliesOrientation: Bool = true,
        limit: WorkLimit = .unlimited
    ) throws {
        try self.init(bytes, limits, appliesOrientation: appliesOrientation, limit, nil)
    }

    /// - Parameter gate: is asked for memory; `nil`: there is enough.
    init(
        _ bytes: ByteBuffer,
        _ limits: DecodingLimits,
        appliesOrientation: Bool,
        _ limit: WorkLimit,
        _ gate: DecodingGate?
    ) throws {
        guard bytes.readableBytes > 0 else { throw ImagingError.emptyFile }
        try limits.check(encodedBytes: bytes.readableBytes)
        let deadline = DecodingDeadline(limits, limit)
        let format = try PictureFormat(recognising: bytes.readableBytesUInt8Span)
        let raw: DecodedPixels = try bytes.withUnsafeReadableBytes { bytes throws in
            switch format {
            case .jpeg: try decodeJPEG(bytes, limits: limits, deadline: deadline, gate: gate)
            case .bmp: try decodeBMP(bytes, limits: limits, deadline: deadline, gate: gate)
            case .gif: try decodeGIF(bytes, limits: limits, deadline: deadline, gate: gate)
            case .png, .webp, .tiff, .heif, .avif:
                try decodeWithVips(bytes, as: format, limits: limits, deadline: deadline, gate: gate)
            }
        }
        let taken = raw.taken ?? bytes.withUnsafeReadableBytes { CaptureTime(in: $0, of: format) }
        let upright = appliesOrientation ? try raw.turnedUpright(deadline) : raw
        self.init(
            size: upright.size,
            format: format,
            taken: taken,
            pixels: upright.pixels,
            memory: gate?.keptMemory()
        )
    }
}

/// What a decoder hands back: pixels as they are stored, and how they want to be turned.
struct DecodedPixels {
    var size: PixelSize
    /// Red, green, blue, rows from the top.
    var pixels: [UInt8]
    var orientation = Orientation.upright
    /// When the picture was taken, where its decoder is the one to find that.
    var taken: CaptureTime?

    /// The pixels turned as the orientation asks.
    func turnedUpright(_ deadline: DecodingDeadline = .init(.init())) throws(ImagingError) -> DecodedPixels {
        guard orientation != .upright else { return self }
        return DecodedPixels(
            size: orientation.swapsSides ? size.transposed : size,
            pixels: try orientation.turn(pixels, of: size, deadline)
        )
    }
}
