// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NIOCore

extension PictureFormat {
    /// The format of a picture that begins with these bytes; `nil` when it is none that this room reads. 512 bytes tell.
    public static func recognise(_ bytes: ByteBuffer) -> PictureFormat? {
        try? PictureFormat(recognising: bytes.readableBytesUInt8Span)
    }

    /// Tells the format by the first bytes.
    ///
    /// - Throws: ``ImagingError/unsupportedKind(_:)`` for other kinds of picture that can be told by their first bytes,
    ///   ``ImagingError/foreign(_:)`` for other files that can, ``ImagingError/notAPicture`` for everything else.
    init(recognising bytes: Span<UInt8>) throws(ImagingError) {
        if let kind = RawPicture.name(of: bytes) {
            throw .unsupportedKind(kind)
        } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if bytes.starts(with: "RIFF"), bytes.starts(with: "WEBP", at: 8) {
            self = .webp
        } else if bytes.starts(with: "GIF87a") || bytes.starts(with: "GIF89a") {
            self = .gif
        } else if ["II*\0", "MM\0*", "II+\0", "MM\0+"].contains(where: { bytes.starts(with: $0) }) {
            self = .tiff
        } else if bytes.starts(with: "ftyp", at: 4), let format = Self.heifFormat(of: bytes) {
            self = format
        } else if bytes.starts(with: "BM") {
            self = .bmp
        } else if let kind = Self.unreadKind(of: bytes) {
            throw .unsupportedKind(kind)
        } else if let content = ForeignContent(recognising: bytes) {
            throw .foreign(content)
        } else {
            throw .notAPicture
        }
    }

    /// Tells AVIF from HEIF by the brands in the `ftyp` box (ISO/IEC 14496-12, section 4.3); nil when it is a film.
    private static func heifFormat(of bytes: Span<UInt8>) -> PictureFormat? {
        let length = (0..<4).reduce(0) { $0 << 8 | Int(bytes[$1]) }
        // The major brand, four bytes of version, then the compatible brands.
        let offsets = [8] + Array(stride(from: 16, to: min(length, bytes.count, 256) - 3, by: 4))
        func has(_ brands: [String]) -> Bool {
            offsets.contains { offset in brands.contains { bytes.starts(with: $0, at: offset) } }
        }
        if has(["avif", "avis"]) { return .avif }
        return has(["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"]) ? .heif : nil
    }

    /// Names kinds of picture that are not read here, so that the answer can say more than “not a picture”.
    private static func unreadKind(of bytes: Span<UInt8>) -> String? {
        if let kind = unreadKinds.first(where: { bytes.starts(with: $0.signature) }) { return kind.name }
        if bytes.starts(with: [0xFF, 0x0A]) { return "JPEG XL" }
        if bytes.starts(with: [0xFF, 0x4F, 0xFF, 0x51]) { return "JPEG 2000" }
        if bytes.starts(with: [0x49, 0x49, 0xBC, 0x01]) { return "JPEG XR" }
        if bytes.starts(with: [0xD7, 0xCD, 0xC6, 0x9A]) { return "a Windows metafile (WMF)" }
        if bytes.starts(with: "DICM", at: 128) { return "DICOM" }
        if isSVG(bytes) { return "SVG" }
        let isNetpbm = "1234567".contains { digit in
            [" ", "\t", "\r", "\n"].contains { bytes.starts(with: "P\(digit)\($0)") }
        }
        return isNetpbm ? "a Netpbm picture (PPM)" : nil
    }

    /// SVG begins with its element, or with a declaration, comments and a document type before it.
    private static func isSVG(_ bytes: Span<UInt8>) -> Bool {
        let head = (0..<min(bytes.count, 1024)).map { bytes[$0] }
        let text = String(decoding: head, as: UTF8.self).drop { $0.isWhitespace || $0 == "\u{FEFF}" }
        guard text.hasPrefix("<svg") || text.hasPrefix("<?xml") || text.hasPrefix("<!") else { return false }
        return text.contains("<svg") && !text.lowercased().contains("<html")
    }

    private static let unreadKinds: [(signature: String, name: String)] = [
        ("\0\0\u{1}\0", "an icon (ICO)"),
        ("\0\0\u{2}\0", "a cursor (CUR)"),
        ("\0\0\0\u{C}JXL ", "JPEG XL"),
        ("\0\0\0\u{C}jP  ", "JPEG 2000"),
        ("v/1\u{1}", "OpenEXR"),
        ("#?RADIANCE", "Radiance HDR"),
        ("8BPS", "Photoshop (PSD)"),
        ("8BPB", "Photoshop (PSB)"),
        ("gimp xcf", "GIMP (XCF)"),
        ("DDS ", "a texture (DDS)"),
        ("icns", "an icon (ICNS)"),
        ("FLIF", "FLIF"),
        ("\u{1}\0\0\0l\0\0\0", "a Windows metafile (EMF)"),
        ("ZISRAWFILE", "a microscope's file (CZI)"),
        ("SIMPLE  =", "FITS"),
        ("farbfeld", "farbfeld"),
        ("qoif", "QOI"),
    ]
}

extension Span<UInt8> {
    fileprivate func starts(with signature: some Collection<UInt8>, at offset: Int = 0) -> Bool {
        guard count >= offset + signature.count else { return false }
        return zip(offset..., signature).allSatisfy { self[$0] == $1 }
    }

    fileprivate func starts(with signature: String, at offset: Int = 0) -> Bool {
        starts(with: signature.utf8, at: offset)
    }
}
