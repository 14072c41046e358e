// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The kinds of picture file that this room reads. A file's kind is told by its first bytes, never by its name.
public enum PictureFormat: String, Sendable, Codable, CaseIterable {
    /// JPEG: baseline, extended or progressive, 8 bits, grey, colour or CMYK.
    case jpeg
    /// PNG, 1 to 16 bits.
    case png
    /// WebP, lossy or lossless; of an animation the first frame.
    case webp
    /// TIFF and BigTIFF with 8- or 16-bit samples (and 1- to 4-bit grey or palette); of several pages the first.
    case tiff
    /// GIF; of an animation the first frame.
    case gif
    /// HEIF with HEVC inside, where the installed libvips and libheif can read it.
    case heif
    /// AVIF: HEIF with AV1 inside, under the same condition.
    case avif
    /// BMP: 8, 24 or 32 bits, uncompressed.
    case bmp

    /// The Internet media type, such as `image/jpeg`.
    public var mediaType: String {
        "image/\(rawValue)"
    }

    /// The name that people write, for messages: `JPEG`, `WebP`.
    public var displayName: String {
        self == .webp ? "WebP" : rawValue.uppercased()
    }
}
