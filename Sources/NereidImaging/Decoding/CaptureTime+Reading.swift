// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension CaptureTime {
    /// A file that has more segments or chunks than this before its EXIF data is not searched to its end.
    private static let mostSegments = 65_536
    /// EXIF has no directory with so many entries.
    private static let mostEntries = 1000

    /// Finds the time in a whole picture file; `nil` if it is not there or can't be read. Every offset is checked.
    ///
    /// JPEG, PNG, WebP and TIFF are searched here. The EXIF data of HEIF and AVIF is taken from libheif; see
    /// `VipsImageOwner.captureTime`.
    init?(in bytes: UnsafeRawBufferPointer, of format: PictureFormat) {
        let file = ByteReader(bytes: bytes, isBigEndian: true)
        let blocks: [ByteReader] =
            switch format {
            case .jpeg: Self.segments(of: file)
            case .png: Self.chunks(of: file)
            case .webp: Self.riffChunks(of: file)
            case .tiff: [file]
            case .gif, .bmp, .heif, .avif: []
            }
        for block in blocks {
            if let time = CaptureTime(exif: block) {
                self = time
                return
            }
        }
        return nil
    }

    /// Reads a block of EXIF data: a TIFF header and its directories, behind `Exif\0\0` or not (CIPA DC-008, section 4.5).
    init?(exif block: ByteReader) {
        let isPrefixed = block.bytes.starts(with: "Exif\0\0".utf8)
        guard var tiff = isPrefixed ? block.slice(at: 6, count: block.bytes.count - 6) : block,
            let order = tiff.uint16(at: 0), order == 0x4949 || order == 0x4D4D
        else { return nil }
        tiff.isBigEndian = order == 0x4D4D
        guard tiff.uint16(at: 2) == 42, let first = tiff.uint32(at: 4) else { return nil }
        // The tags belong into the directory of EXIF's own. TIFF/EP writes them into the first one.
        let own = Self.entry(0x8769, in: first, of: tiff).flatMap { tiff.uint32(at: $0 + 8) }
        for directory in [own, first].compactMap(\.self) {
            guard let dateTime = Self.text(0x9003, in: directory, of: tiff) else { continue }
            let offset = Self.text(0x9011, in: directory, of: tiff)
            guard let time = CaptureTime(exif: dateTime, offset: offset) else { continue }
            self = time
            return
        }
        return nil
    }

    /// The text of a tag of the type ASCII, without the zero behind it and what follows; `nil` if it is missing or too long.
    private static func text(_ tag: Int, in directory: Int, of tiff: ByteReader) -> UnsafeRawBufferPointer.SubSequence?
    {
        guard let entry = entry(tag, in: directory, of: tiff), tiff.uint16(at: entry + 2) == 2,
            let count = tiff.uint32(at: entry + 4), (1...64).contains(count)
        else { return nil }
        // Up to four bytes are in the entry itself.
        guard let offset = count <= 4 ? entry + 8 : tiff.uint32(at: entry + 8),
            let value = tiff.slice(at: offset, count: count)
        else { return nil }
        return value.bytes.prefix { $0 != 0 }
    }

    /// Where the entry of a tag is in a directory.
    private static func entry(_ tag: Int, in directory: Int, of tiff: ByteReader) -> Int? {
        guard let count = tiff.uint16(at: directory) else { return nil }
        for index in 0..<min(count, mostEntries) {
            let entry = directory + 2 + index * 12
            guard let found = tiff.uint16(at: entry) else { return nil }
            if found == tag { return entry }
        }
        return nil
    }

    /// The segments APP1 before the pixels of a JPEG (ITU-T T.81, annex B).
    private static func segments(of file: ByteReader) -> [ByteReader] {
        var (segments, offset): ([ByteReader], Int) = ([], 2)
        for _ in 0..<mostSegments {
            guard file.uint8(at: offset) == 0xFF, let code = file.uint8(at: offset + 1) else { break }
            if code == 0xFF {
                offset += 1
                continue
            }
            guard code != 0xDA, code != 0xD9, let length = file.uint16(at: offset + 2), length >= 2,
                let segment = file.slice(at: offset + 4, count: length - 2)
            else { break }
            if code == 0xE1 { segments.append(segment) }
            offset += 2 + length
        }
        return segments
    }

    /// The chunks `eXIf` of a PNG, before the pixels or behind them (PNG, third edition, section 11.3.4.5).
    private static func chunks(of file: ByteReader) -> [ByteReader] {
        var (chunks, offset): ([ByteReader], Int) = ([], 8)
        for _ in 0..<mostSegments {
            guard let length = file.uint32(at: offset), let content = file.slice(at: offset + 8, count: length) else {
                break
            }
            if file.slice(at: offset + 4, count: 4)?.bytes.elementsEqual("eXIf".utf8) == true { chunks.append(content) }
            offset += 12 + length
        }
        return chunks
    }

    /// The chunks `EXIF` of a WebP (RFC 9649, section 2.7.1.5).
    private static func riffChunks(of file: ByteReader) -> [ByteReader] {
        var file = file
        file.isBigEndian = false
        var (chunks, offset): ([ByteReader], Int) = ([], 12)
        for _ in 0..<mostSegments {
            guard let length = file.uint32(at: offset + 4), let content = file.slice(at: offset + 8, count: length)
            else {
                break
            }
            if file.slice(at: offset, count: 4)?.bytes.elementsEqual("EXIF".utf8) == true { chunks.append(content) }
            offset += 8 + length + length % 2
        }
        return chunks
    }
}
