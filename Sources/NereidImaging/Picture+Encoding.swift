// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CTurboJPEG
import CVips
public import NIOCore

/// A form in which a picture can be written.
public enum EncodedForm: Sendable, Hashable {
    /// PNG, 8-bit RGB: exactly the pixels.
    case png
    /// JPEG, 1 (smallest) to 100 (best). Colour is not subsampled, so that drawn lines and letters stay sharp.
    case jpeg(quality: Int)

    /// The format of what is written.
    public var format: PictureFormat {
        switch self {
        case .png: .png
        case .jpeg: .jpeg
        }
    }
}

extension Picture {
    /// Writes the picture as a file.
    ///
    /// Blocks its thread for milliseconds (a PNG of 1920×1080 for tenths of a second): call it through ``ImagingPool``.
    ///
    /// - Parameter limit: When the work must stop; looked at every few rows of a PNG. A JPEG is encoded in one call that can't
    ///   be interrupted, about 1 s for 100 megapixels. Default: not before it has ended.
    /// - Throws: ``ImagingError/encodingFailed(reason:)`` when the form cannot hold the picture: a JPEG has at most
    ///   65,535 pixels a side and a quality of 1 to 100; what the limit throws.
    public func encoded(as form: EncodedForm, limit: WorkLimit = .unlimited) throws -> ByteBuffer {
        try limit.check()
        let bytes =
            switch form {
            case .png: try encodedPNG(limit)
            case .jpeg(let quality): try encodedJPEG(quality: quality)
            }
        try limit.check()
        return bytes
    }

    private func encodedPNG(_ limit: WorkLimit) throws(ImagingError) -> ByteBuffer {
        guard Vips.isStarted else { throw .encodingFailed(reason: "libvips could not start") }
        defer { vips_thread_shutdown() }
        var bytes: UnsafeMutableRawPointer?
        var count = 0
        // libvips asks through a plain pointer, which lives as long as this call.
        var limit = limit
        let saved = pixels.withUnsafeBytes { pixels in
            // The image borrows the pixels, so it must be gone when this closure ends.
            guard
                let image = vips_image_new_from_memory(
                    pixels.baseAddress,
                    pixels.count,
                    CInt(width),
                    CInt(height),
                    3,
                    VIPS_FORMAT_UCHAR
                )
            else { return false }
            let owner = VipsImageOwner(image)
            return withUnsafeMutablePointer(to: &limit) { limit in
                let status = cvips_save_png(
                    owner.image,
                    &bytes,
                    &count,
                    { context in
                        let limit = context?.assumingMemoryBound(to: WorkLimit.self).pointee
                        return (try? limit?.check()) == nil ? 1 : 0
                    },
                    limit
                )
                return status == 0
            }
        }
        defer { g_free(bytes) }
        guard saved else {
            try limit.check()
            throw .encodingFailed(reason: Vips.takeErrorMessage())
        }
        return ByteBuffer(bytes: UnsafeRawBufferPointer(start: bytes, count: count))
    }

    private func encodedJPEG(quality: Int) throws(ImagingError) -> ByteBuffer {
        guard (1...100).contains(quality) else {
            throw .encodingFailed(reason: "the quality of a JPEG is 1 to 100, not \(quality)")
        }
        guard max(width, height) <= 65_535 else {
            throw .encodingFailed(reason: "a side of a JPEG is at most 65,535 pixels, not \(max(width, height))")
        }
        guard let handle = tjInitCompress() else { throw .encodingFailed(reason: "TurboJPEG could not start") }
        defer { tjDestroy(handle) }
        var bytes: UnsafeMutablePointer<UInt8>?
        var count: UInt = 0
        defer { tjFree(bytes) }
        let status = pixels.withUnsafeBufferPointer { pixels in
            tjCompress2(
                handle,
                pixels.baseAddress,
                CInt(width),
                CInt(width * 3),
                CInt(height),
                CInt(TJPF_RGB.rawValue),
                &bytes,
                &count,
                CInt(TJSAMP_444.rawValue),
                CInt(quality),
                0
            )
        }
        guard status == 0 else { throw .encodingFailed(reason: String(cString: tjGetErrorStr2(handle))) }
        return ByteBuffer(bytes: UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    }
}
