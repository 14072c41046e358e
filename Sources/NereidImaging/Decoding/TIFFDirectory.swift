// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The first directory of a TIFF structure: of a TIFF or BigTIFF file, or of EXIF data (TIFF 6.0, section 2; JEITA CP-3451,
/// section 4.5).
struct TIFFDirectory {
    /// The structure, in its byte order.
    private let tiff: ByteReader
    private let start: Int
    private let count: Int
    private let isBig: Bool

    /// The tags that are looked for here.
    enum Tag: Int {
        case orientation = 0x0112
        case xmp = 700
    }

    /// `nil` when the bytes do not begin with a TIFF header that leads to a directory.
    init?(_ bytes: ByteReader) {
        var tiff = bytes
        guard let order = tiff.uint16(at: 0), order == 0x4949 || order == 0x4D4D else { return nil }
        tiff.isBigEndian = order == 0x4D4D
        let version = tiff.uint16(at: 2)
        guard version == 42 || version == 43 && tiff.uint16(at: 4) == 8 else { return nil }
        isBig = version == 43
        guard let directory = isBig ? tiff.uint64(at: 8) : tiff.uint32(at: 4), directory < tiff.bytes.count,
            let entries = isBig ? tiff.uint64(at: directory) : tiff.uint16(at: directory)
        else { return nil }
        start = directory + (isBig ? 8 : 2)
        // No more than there is room for, whatever the count says.
        count = min(entries, tiff.bytes.count / (isBig ? 20 : 12))
        self.tiff = tiff
    }

    /// The value of a tag that holds one SHORT or LONG; `nil` when there is no such entry.
    func integer(_ tag: Tag) -> Int? {
        guard let entry = entry(tag) else { return nil }
        let value = entry + (isBig ? 12 : 8)
        // SHORT is what the standard asks for; some cameras write LONG.
        return switch tiff.uint16(at: entry + 2) {
        case 3: tiff.uint16(at: value)
        case 4: tiff.uint32(at: value)
        default: nil
        }
    }

    /// The value of a tag that holds more bytes than fit into its entry; `nil` when there is no such entry.
    func bytes(_ tag: Tag) -> ByteReader? {
        guard let entry = entry(tag), let type = tiff.uint16(at: entry + 2), type == 1 || type == 7,
            let count = isBig ? tiff.uint64(at: entry + 4) : tiff.uint32(at: entry + 4),
            let offset = isBig ? tiff.uint64(at: entry + 12) : tiff.uint32(at: entry + 8)
        else { return nil }
        return tiff.slice(at: offset, count: count)
    }

    private func entry(_ tag: Tag) -> Int? {
        (0..<count).lazy.map { start + $0 * (isBig ? 20 : 12) }.first { tiff.uint16(at: $0) == tag.rawValue }
    }
}
