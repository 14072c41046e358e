// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CTurboJPEG

/// Decodes a JPEG with TurboJPEG, straight into the picture's memory.
///
/// The accurate integer transform and smooth chroma upsampling are libjpeg-turbo's defaults, so the pixels are those
/// that Pillow and OpenCV give.
///
/// What is refused as damaged: everything libjpeg-turbo cannot go on from, data that ends before the last row, and
/// entropy-coded data that breaks off or holds impossible codes (the rest of the picture would be grey or noise).
/// What is accepted: a missing end marker after a complete picture, stray bytes between segments, odd but harmless
/// headers, and a progressive picture that has its end marker but lacks some scans or parts of them, which costs
/// detail and no area.
func decodeJPEG(
    _ bytes: UnsafeRawBufferPointer,
    limits: DecodingLimits,
    deadline: DecodingDeadline,
    gate: DecodingGate? = nil
) throws(ImagingError) -> DecodedPixels {
    let outline = JPEGOutline(bytes)
    try outline.checkKind()
    let decompressor = try JPEGDecompressor(outline)
    let header = try decompressor.readHeader(bytes)
    try limits.check(header.size)
    try deadline.check(estimate: outline.estimatedDuration(for: header.size))
    try gate?.admit(outline.need(for: header.size))
    let pixels =
        if outline.hasEnd {
            try decompressor.decode(bytes, header: header, deadline)
        } else {
            try decompressor.decodeUnended(bytes, header: header, deadline)
        }
    try deadline.check()
    return DecodedPixels(size: header.size, pixels: pixels, orientation: outline.orientation.result)
}

extension JPEGOutline {
    /// Throws when the JPEG is of a kind that libjpeg-turbo 2 does not decode.
    fileprivate func checkKind() throws(ImagingError) {
        guard let process else { throw .damaged(.jpeg, reason: "it has no frame header") }
        switch process {
        case 0, 1, 2, 9, 10: break
        case 3, 11: throw .unsupportedKind("a lossless JPEG")
        default: throw .unsupportedKind("a hierarchical JPEG")
        }
        if precision != 8 { throw .unsupportedKind("a JPEG with \(precision) bits per sample") }
        if ![1, 3, 4].contains(components) { throw .unsupportedKind("a JPEG with \(components) colour components") }
    }

    /// An upper estimate of the decoding time. Every scan of a progressive JPEG visits every block of the picture,
    /// however few bytes it has, so a small file can ask for hours of work.
    fileprivate func estimatedDuration(for size: PixelSize) -> Duration {
        .nanoseconds(size.pixelCount * scans * Self.nanosecondsPerPixel)
    }

    private static let nanosecondsPerPixel = 5

    /// Of a picture in several scans all coefficients are kept, two bytes each; of others a few rows.
    fileprivate func need(for size: PixelSize) -> DecodingNeed {
        let pixel = components == 4 ? 7 : 3
        let isKept = scans > 1 || isProgressive
        return DecodingNeed(
            size,
            bytesPerPixel: isKept ? max(pixel, (components == 4 ? 4 : 3) + 2 * components) : pixel,
            nanoseconds: max(scans, 1) * Self.nanosecondsPerPixel,
            isTurned: orientation.result != .upright
        )
    }
}

/// Owns a TurboJPEG decompressor.
private struct JPEGDecompressor: ~Copyable {
    struct Header {
        var size: PixelSize
        var isCMYK: Bool
    }

    private let handle: tjhandle
    /// Parts of the warnings after which the picture is still whole. libjpeg-turbo gives only the first one's words.
    private let harmlessWarnings: [String]

    init(_ outline: JPEGOutline) throws(ImagingError) {
        guard let handle = tjInitDecompress() else {
            throw .damaged(.jpeg, reason: "TurboJPEG could not start")
        }
        self.handle = handle
        harmlessWarnings =
            [
                "extraneous bytes before marker",
                "Unknown Adobe color transform code",
                "unknown JFIF revision number",
                "Inconsistent progression sequence",
                "Invalid SOS parameters",
            ] + (outline.isProgressive && outline.hasEnd ? ["premature end of data segment"] : [])
    }

    deinit {
        tjDestroy(handle)
    }

    func readHeader(_ bytes: UnsafeRawBufferPointer) throws(ImagingError) -> Header {
        var (width, height, subsampling, colours): (CInt, CInt, CInt, CInt) = (0, 0, -1, -1)
        let status = tjDecompressHeader3(
            handle,
            bytes.bytePointer,
            UInt(bytes.count),
            &width,
            &height,
            &subsampling,
            &colours
        )
        // A failure after the size is known only means that TurboJPEG has no name for the way the chroma is
        // subsampled; decoding to RGB does not need one.
        guard status == 0 || width > 0 && height > 0 else { throw .damaged(.jpeg, reason: message) }
        return Header(
            size: PixelSize(width: Int(width), height: Int(height)),
            isCMYK: colours == TJCS_CMYK.rawValue || colours == TJCS_YCCK.rawValue
        )
    }

    func decode(
        _ bytes: UnsafeRawBufferPointer,
        header: Header,
        _ deadline: DecodingDeadline
    ) throws(ImagingError) -> [UInt8] {
        guard header.isCMYK else { return try decode(bytes, header: header, as: TJPF_RGB, channels: 3) }
        let inks = try decode(bytes, header: header, as: TJPF_CMYK, channels: 4)
        var outcome = Result<Void, ImagingError>.success(())
        let result = inks.withUnsafeBufferPointer { inks in
            [UInt8](unsafeUninitializedCapacity: header.size.pixelCount * 3) { pixels, count in
                for index in 0..<header.size.pixelCount {
                    if index.isMultiple(of: 65_536) {
                        outcome = Result { () throws(ImagingError) in try deadline.check() }
                        guard case .success = outcome else { return }
                    }
                    mixInks(
                        (255 - inks[index * 4], 255 - inks[index * 4 + 1], 255 - inks[index * 4 + 2]),
                        black: 255 - inks[index * 4 + 3],
                        into: UnsafeMutableBufferPointer(rebasing: pixels[(index * 3)..<(index * 3 + 3)])
                    )
                }
                count = header.size.pixelCount * 3
            }
        }
        try outcome.get()
        return result
    }

    /// Decodes bytes that lack the end marker. With one appended, libjpeg-turbo stays silent when the picture was
    /// complete and warns when it was cut short.
    func decodeUnended(
        _ bytes: UnsafeRawBufferPointer,
        header: Header,
        _ deadline: DecodingDeadline
    ) throws(ImagingError) -> [UInt8] {
        let ended = Array(bytes) + [0xFF, 0xD9]
        let result = ended.withUnsafeBytes { bytes in
            Result { () throws(ImagingError) in try decode(bytes, header: header, deadline) }
        }
        return try result.get()
    }

    private func decode(
        _ bytes: UnsafeRawBufferPointer,
        header: Header,
        as layout: TJPF,
        channels: Int
    ) throws(ImagingError) -> [UInt8] {
        let (width, height) = (header.size.width, header.size.height)
        var status: CInt = 0
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * channels) { pixels, count in
            // Passing the size again keeps TurboJPEG inside this memory, whatever it makes of the header this time.
            status = tjDecompress2(
                handle,
                bytes.bytePointer,
                UInt(bytes.count),
                pixels.baseAddress,
                CInt(width),
                CInt(width * channels),
                CInt(height),
                CInt(layout.rawValue),
                TJFLAG_LIMITSCANS
            )
            count = pixels.count
        }
        guard status != 0 else { return pixels }
        if tjGetErrorCode(handle) == TJERR_WARNING.rawValue, harmlessWarnings.contains(where: message.contains) {
            return pixels
        }
        throw .damaged(.jpeg, reason: message)
    }

    private var message: String {
        String(cString: tjGetErrorStr2(handle))
    }
}

/// Mixes cyan, magenta and yellow with black ink, 0 no ink and 255 full, as Pillow does: what each leaves of the paper's
/// white, times what black leaves.
func mixInks(_ inks: (UInt8, UInt8, UInt8), black: UInt8, into pixel: UnsafeMutableBufferPointer<UInt8>) {
    let paper = Int32(255 - black)
    func remaining(_ ink: UInt8) -> UInt8 {
        // Division by 255 to the nearest, without a division.
        let product = Int32(ink) * paper + 128
        return UInt8(paper - (product >> 8 + product) >> 8)
    }
    pixel[0] = remaining(inks.0)
    pixel[1] = remaining(inks.1)
    pixel[2] = remaining(inks.2)
}

extension UnsafeRawBufferPointer {
    fileprivate var bytePointer: UnsafePointer<UInt8>? {
        baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
}
