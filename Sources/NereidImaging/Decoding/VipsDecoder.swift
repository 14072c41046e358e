// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CVips

/// Decodes with the one libvips loader that belongs to the format; libvips never guesses.
func decodeWithVips(
    _ bytes: UnsafeRawBufferPointer,
    as format: PictureFormat,
    limits: DecodingLimits,
    deadline: DecodingDeadline,
    gate: DecodingGate? = nil
) throws(ImagingError) -> DecodedPixels {
    guard Vips.isStarted else { throw .unsupportedKind("\(format.displayName), because libvips could not start") }
    // libvips keeps buffers for each thread that it has seen.
    defer { vips_thread_shutdown() }
    vips_error_clear()
    let source = try open(bytes, as: format)
    try limits.check(source.size, isAtOnce: [.webp, .heif, .avif].contains(format))
    let samples = try VipsSamples(of: source.image, format: format)
    try gate?.admit(samples.need(for: source.size, of: format, isInterlaced: format == .png && isInterlaced(bytes)))
    let width = source.size.width
    let count = source.size.pixelCount * 3
    var outcome = Result<Bool, ImagingError>.success(false)
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { pixels, filled in
        outcome = Result { () throws(ImagingError) in
            try source.forEachRow { y, row throws(ImagingError) in
                try deadline.check()
                let start = y * width * 3
                samples.convert(row, count: width, into: .init(rebasing: pixels[start..<start + width * 3]))
            }
        }
        filled = (try? outcome.get()) == true ? count : 0
    }
    guard try outcome.get() else {
        try deadline.check()
        throw Vips.takeError(for: format)
    }
    try deadline.check()
    let orientation = OrientationEvidence(of: bytes, as: format).result
    return DecodedPixels(size: source.size, pixels: pixels, orientation: orientation, taken: source.captureTime)
}

private func open(
    _ bytes: UnsafeRawBufferPointer,
    as format: PictureFormat
) throws(ImagingError) -> VipsImageOwner {
    let loader =
        switch format {
        case .png: (name: "pngload_buffer", open: cvips_open_png)
        case .webp: (name: "webpload_buffer", open: cvips_open_webp)
        case .tiff: (name: "tiffload_buffer", open: cvips_open_tiff)
        case .heif, .avif: (name: "heifload_buffer", open: cvips_open_heif)
        case .jpeg, .bmp, .gif: preconditionFailure("\(format.displayName) has a decoder of its own")
        }
    guard Vips.has(operation: loader.name) else {
        throw .unsupportedKind("\(format.displayName), because the installed libvips was built without it")
    }
    guard let image = loader.open(bytes.baseAddress, bytes.count) else {
        throw Vips.takeError(for: format)
    }
    return VipsImageOwner(image)
}

/// Whether a PNG's rows come in seven passes, for which the whole picture is kept (PNG specification, 11.2.2).
private func isInterlaced(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count > 28 && bytes[28] != 0
}

/// How libvips holds the pixels of a picture, and how they become RGB.
private struct VipsSamples {
    private enum Colour {
        case grey, rgb, inks
    }

    private let colour: Colour
    /// Samples per pixel, alpha and other extras included.
    private let bands: Int
    private let isWide: Bool

    init(of image: UnsafeMutablePointer<VipsImage>, format: PictureFormat) throws(ImagingError) {
        guard vips_image_get_coding(image) == VIPS_CODING_NONE else {
            throw .unsupportedKind("a \(format.displayName) with packed samples")
        }
        switch vips_image_get_format(image) {
        case VIPS_FORMAT_UCHAR: isWide = false
        case VIPS_FORMAT_USHORT: isWide = true
        case VIPS_FORMAT_FLOAT, VIPS_FORMAT_DOUBLE:
            throw .unsupportedKind("a \(format.displayName) with floating-point samples")
        default:
            throw .unsupportedKind("a \(format.displayName) whose samples are neither 8 nor 16 bits without sign")
        }
        bands = Int(vips_image_get_bands(image))
        switch vips_image_get_interpretation(image) {
        case VIPS_INTERPRETATION_CMYK where bands >= 4: colour = .inks
        case VIPS_INTERPRETATION_B_W, VIPS_INTERPRETATION_GREY16, VIPS_INTERPRETATION_sRGB, VIPS_INTERPRETATION_RGB,
            VIPS_INTERPRETATION_RGB16, VIPS_INTERPRETATION_MULTIBAND:
            colour = bands >= 3 ? .rgb : .grey
        default:
            throw .unsupportedKind("a \(format.displayName) whose colours are neither grey, RGB nor CMYK")
        }
    }

    /// What a picture takes; see ``DecodingNeed`` for the numbers.
    func need(for size: PixelSize, of format: PictureFormat, isInterlaced: Bool) -> DecodingNeed {
        let samples = bands * (isWide ? 2 : 1)
        let (bytes, nanoseconds) =
            switch format {
            case .png: (isInterlaced ? 4 + samples : 4, 40)
            case .tiff: (4 + 2 * samples, 40)
            case .webp: (12, 72)
            case .heif, .avif: (3 + 3 * samples, 72)
            case .jpeg, .bmp, .gif: (3, 20)
            }
        return DecodingNeed(size, bytesPerPixel: bytes, nanoseconds: nanoseconds)
    }

    /// Converts a row of `count` pixels into `count * 3` bytes.
    func convert(_ row: UnsafeRawPointer, count: Int, into destination: UnsafeMutableBufferPointer<UInt8>) {
        if isWide {
            let samples = UnsafeBufferPointer(start: row.assumingMemoryBound(to: UInt16.self), count: count * bands)
            convert(samples, count: count, into: destination) { UInt8(truncatingIfNeeded: $0 >> 8) }
        } else {
            let samples = UnsafeBufferPointer(start: row.assumingMemoryBound(to: UInt8.self), count: count * bands)
            convert(samples, count: count, into: destination) { $0 }
        }
    }

    @inline(__always)
    private func convert<Sample>(
        _ samples: UnsafeBufferPointer<Sample>,
        count: Int,
        into destination: UnsafeMutableBufferPointer<UInt8>,
        _ byte: (Sample) -> UInt8
    ) {
        var (from, to) = (0, 0)
        for _ in 0..<count {
            switch colour {
            case .grey:
                let grey = byte(samples[from])
                destination[to] = grey
                destination[to + 1] = grey
                destination[to + 2] = grey
            case .rgb:
                destination[to] = byte(samples[from])
                destination[to + 1] = byte(samples[from + 1])
                destination[to + 2] = byte(samples[from + 2])
            case .inks:
                mixInks(
                    (byte(samples[from]), byte(samples[from + 1]), byte(samples[from + 2])),
                    black: byte(samples[from + 3]),
                    into: UnsafeMutableBufferPointer(rebasing: destination[to..<to + 3])
                )
            }
            from += bands
            to += 3
        }
    }
}

extension Vips {
    /// Why a loader gave up: it says so when it lacks a variety of its format, everything else is damage.
    fileprivate static func takeError(for format: PictureFormat) -> ImagingError {
        let reason = takeErrorMessage()
        let isUnsupported = ["unsupported", "not supported"].contains(where: reason.lowercased().contains)
        return isUnsupported
            ? .unsupportedKind("this variety of \(format.displayName) (\(reason))")
            : .damaged(format, reason: reason)
    }
}
