// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Raw files of cameras, which have the signature of TIFF or of HEIF but hold the sensor's values.
///
/// The first picture in many of them is a thumbnail: decoded as TIFF they would be answered at a few hundred pixels.
/// Sources: TIFF 6.0, sections 2 and 8; Adobe DNG 1.7, chapter 4.
enum RawPicture {
    /// Names a raw file by its beginning; `nil` for everything else.
    static func name(of bytes: Span<UInt8>) -> String? {
        func has(_ text: String, at offset: Int = 0) -> Bool {
            let signature = Array(text.utf8)
            guard bytes.count >= offset + signature.count else { return false }
            return signature.indices.allSatisfy { bytes[offset + $0] == signature[$0] }
        }
        if has("FUJIFILMCCD-RAW") { return "a camera's raw file (RAF)" }
        if has("IIRO") || has("IIRS") || has("MMOR") { return "a camera's raw file (ORF)" }
        if has("IIU\0") { return "a camera's raw file (RW2)" }
        if has("FOVb") { return "a camera's raw file (X3F)" }
        if has("\0MRM") { return "a camera's raw file (MRW)" }
        if has("ftypcrx ", at: 4) { return "a camera's raw file (CR3)" }
        guard has("II*\0") || has("MM\0*") else { return nil }
        if has("CR", at: 8), bytes.count > 10, bytes[10] <= 3 { return "a camera's raw file (CR2)" }
        return directoryName(of: bytes, isLittle: has("II"))
    }

    /// Looks at the first directory of a TIFF.
    private static func directoryName(of bytes: Span<UInt8>, isLittle: Bool) -> String? {
        func integer(_ offset: Int, _ length: Int) -> Int? {
            guard offset >= 0, offset <= bytes.count - length else { return nil }
            return (0..<length).reduce(0) { value, index in
                value << 8 | Int(bytes[offset + (isLittle ? length - 1 - index : index)])
            }
        }
        guard let start = integer(4, 4), let count = integer(start, 2), count <= 1024 else { return nil }
        var (isThumbnail, hasOthers) = (false, false)
        for entry in 0..<count {
            let place = start + 2 + entry * 12
            switch integer(place, 2) {
            case 0xC612: return "a camera's raw file (DNG)"
            case 0x00FE: isThumbnail = integer(place + 8, 4).map { $0 & 1 == 1 } ?? false
            case 0x014A: hasOthers = true
            case nil: return nil
            default: break
            }
        }
        return isThumbnail && hasOthers ? "a camera's raw file (such as NEF, ARW or PEF)" : nil
    }
}
