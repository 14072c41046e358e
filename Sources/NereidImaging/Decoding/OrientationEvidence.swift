// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What a file's metadata say of how its picture is to be turned.
///
/// EXIF goes before XMP, as in Pillow's `exif_transpose`: XMP counts only where no EXIF data state an orientation at all.
struct OrientationEvidence {
    private var exif: Orientation?
    private var isStatedInEXIF = false
    private var xmp: Orientation?

    /// How the picture is to be turned.
    var result: Orientation {
        exif ?? (isStatedInEXIF ? nil : xmp) ?? .upright
    }

    /// Nothing said.
    init() {}

    /// What a file of a format that libvips decodes says.
    init(of bytes: UnsafeRawBufferPointer, as format: PictureFormat) {
        let file = ByteReader(bytes: bytes, isBigEndian: format == .png)
        switch format {
        case .png: add(png: file)
        case .webp: add(webp: file)
        case .tiff: add(tiff: file)
        // HEIF and AVIF say how they are turned in their container, which libheif has seen to; EXIF only repeats it.
        case .heif, .avif, .jpeg, .gif, .bmp: break
        }
    }

    /// Adds EXIF data, which begin with a TIFF header, or with `Exif\0\0` and a TIFF header.
    mutating func add(exif data: ByteReader) {
        let isPrefixed = data.bytes.starts(with: Self.exifSignature)
        guard exif == nil, let tiff = isPrefixed ? data.dropping(Self.exifSignature.count) : data,
            let stated = TIFFDirectory(tiff)?.integer(.orientation)
        else { return }
        isStatedInEXIF = true
        exif = Orientation(rawValue: stated)
    }

    /// Adds an XMP packet.
    mutating func add(xmp packet: ByteReader) {
        if xmp == nil { xmp = Orientation(xmp: packet.bytes) }
    }

    /// Adds an APP1 segment of a JPEG, which holds EXIF or XMP or something else.
    mutating func add(app1 segment: ByteReader) {
        if segment.bytes.starts(with: Self.exifSignature) {
            add(exif: segment)
        } else if segment.bytes.starts(with: Self.xmpSignature), let packet = segment.dropping(Self.xmpSignature.count)
        {
            add(xmp: packet)
        }
    }

    /// Adds the `EXIF` and `XMP ` chunks of a WebP (RIFF; RFC 9649, section 2.7).
    private mutating func add(webp file: ByteReader) {
        var offset = 12
        while let kind = file.slice(at: offset, count: 4), let length = file.uint32(at: offset + 4) {
            if let data = file.slice(at: offset + 8, count: length) {
                if kind.bytes.elementsEqual("EXIF".utf8) { add(exif: data) }
                if kind.bytes.elementsEqual("XMP ".utf8) { add(xmp: data) }
            }
            offset += 8 + length + length % 2
        }
    }

    /// Adds what the first directory of a TIFF says.
    private mutating func add(tiff file: ByteReader) {
        add(exif: file)
        if let packet = TIFFDirectory(file)?.bytes(.xmp) { add(xmp: packet) }
    }

    private static let exifSignature = Array("Exif\0\0".utf8)
    private static let xmpSignature = Array("http://ns.adobe.com/xap/1.0/\0".utf8)
}

extension Orientation {
    /// Reads `tiff:Orientation` out of an XMP packet, as an attribute or as an element (ISO 16684-1, section 7); nil when
    /// there is none, or none that makes sense.
    init?(xmp packet: UnsafeRawBufferPointer) {
        let name = Array("tiff:Orientation".utf8)
        guard let first = name.first else { return nil }
        var offset = 0
        while let found = packet[offset...].firstIndex(of: first) {
            offset = found + 1
            guard packet[found...].starts(with: name) else { continue }
            // What stands between the name and its value: spaces, an equals sign and a quotation mark, or a bracket.
            let rest = packet[(found + name.count)...].prefix(16)
            guard let mark = rest.first(where: { !Self.isSpace($0) }),
                mark == UInt8(ascii: "=") || mark == UInt8(ascii: ">"),
                let digit = rest.first(where: { !Self.isSpace($0) && !Self.marks.contains($0) }),
                let place = rest.firstIndex(of: digit), let end = rest[(place + 1)...].first,
                Self.isSpace(end) || end == UInt8(ascii: "<") || end == UInt8(ascii: "\"") || end == UInt8(ascii: "'")
            else { continue }
            self.init(rawValue: Int(digit) - Int(UInt8(ascii: "0")))
            return
        }
        return nil
    }

    private static let marks = Set("=>\"'".utf8)

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
