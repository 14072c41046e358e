// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

@testable import NereidImaging

/// The size that a file's header announces, read in another way than the decoders do; nil for formats not known here.
func announcedSize(_ bytes: [UInt8], _ format: PictureFormat) -> PixelSize? {
    func big(_ at: Int, _ count: Int) -> Int { bytes[at..<at + count].reduce(0) { $0 << 8 | Int($1) } }
    func little(_ at: Int, _ count: Int) -> Int { bytes[at..<at + count].reversed().reduce(0) { $0 << 8 | Int($1) } }
    switch format {
    case .png:
        return PixelSize(width: big(16, 4), height: big(20, 4))
    case .gif:
        return PixelSize(width: little(6, 2), height: little(8, 2))
    case .bmp where little(14, 4) == 12:
        return PixelSize(width: little(18, 2), height: little(20, 2))
    case .bmp:
        return PixelSize(width: little(18, 4), height: abs(Int(Int32(truncatingIfNeeded: little(22, 4)))))
    case .jpeg:
        var at = 2
        while at + 9 < bytes.count {
            if bytes[at] != 0xFF || bytes[at + 1] == 0xFF {
                at += 1
            } else if (0xC0...0xC2).contains(bytes[at + 1]) {
                return PixelSize(width: big(at + 7, 2), height: big(at + 5, 2))
            } else {
                at += 2 + big(at + 2, 2)
            }
        }
        return nil
    case .webp:
        switch String(decoding: bytes[12..<16], as: UTF8.self) {
        case "VP8 ": return PixelSize(width: little(26, 2) & 0x3FFF, height: little(28, 2) & 0x3FFF)
        case "VP8L":
            let bits = little(21, 4)
            return PixelSize(width: bits & 0x3FFF + 1, height: bits >> 14 & 0x3FFF + 1)
        default: return PixelSize(width: little(24, 3) + 1, height: little(27, 3) + 1)
        }
    case .tiff:
        let number = bytes[0] == 0x49 ? little : big
        let isLong = number(2, 2) == 43
        let directory = isLong ? number(8, 8) : number(4, 4)
        let entry = isLong ? (start: 8, length: 20, value: 12) : (start: 2, length: 12, value: 8)
        var size = PixelSize(width: 0, height: 0)
        for index in 0..<number(directory, entry.start) {
            let at = directory + entry.start + index * entry.length
            let value = number(at + entry.value, number(at + 2, 2) == 3 ? 2 : 4)
            switch number(at, 2) {
            case 256: size.width = value
            case 257: size.height = value
            default: break
            }
        }
        return size
    case .heif, .avif:
        // The first item's extent: ISO/IEC 23008-12, section 6.5.3.
        guard let at = bytes.indices.first(where: { bytes[$0...].starts(with: "ispe".utf8) }) else { return nil }
        return PixelSize(width: big(at + 8, 4), height: big(at + 12, 4))
    }
}
