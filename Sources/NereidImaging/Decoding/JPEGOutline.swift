// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a walk along a JPEG's markers tells without decoding (ITU-T T.81, annex B).
struct JPEGOutline {
    /// The number in the frame header's marker, 0 (baseline) to 15; nil when there is no frame.
    private(set) var process: Int?
    /// Whether the picture comes in several scans, each refining the one before.
    var isProgressive: Bool { process == 2 || process == 10 }
    /// Bits per sample.
    private(set) var precision = 8
    /// 1 grey, 3 colour, 4 CMYK.
    private(set) var components = 0
    /// How many scans the entropy-coded data has; a baseline JPEG mostly has one, a progressive one about ten.
    private(set) var scans = 0
    /// Whether the end marker is there. A file that was cut short lacks it.
    private(set) var hasEnd = false
    /// What its APP1 segments, EXIF and XMP, say of how it is to be turned.
    private(set) var orientation = OrientationEvidence()

    /// Walks along `bytes` as far as they make sense.
    init(_ bytes: UnsafeRawBufferPointer) {
        let reader = ByteReader(bytes: bytes, isBigEndian: true)
        var offset = 2
        while let marker = Self.nextMarker(in: bytes, from: offset) {
            offset = marker.offset + 2
            switch marker.code {
            case 0xD9:
                hasEnd = true
                return
            case 0x01, 0xD0...0xD8:
                continue
            default:
                guard let length = reader.uint16(at: offset), length >= 2,
                    let segment = reader.slice(at: offset + 2, count: length - 2)
                else { return }
                read(segment, code: marker.code)
                offset += length
            }
        }
    }

    private mutating func read(_ segment: ByteReader, code: UInt8) {
        switch code {
        case 0xC4, 0xC8, 0xCC:
            break  // Tables that share the range of the frame headers.
        case 0xC0...0xCF where process == nil:
            process = Int(code & 0x0F)
            precision = segment.uint8(at: 0) ?? 0
            components = segment.uint8(at: 5) ?? 0
        case 0xDA:
            scans += 1
        case 0xE1:
            orientation.add(app1: segment)
        default:
            break
        }
    }

    /// Finds the next 0xFF that starts a marker: stuffed zeroes and fill bytes are passed over.
    private static func nextMarker(in bytes: UnsafeRawBufferPointer, from start: Int) -> (offset: Int, code: UInt8)? {
        guard let base = bytes.baseAddress else { return nil }
        var offset = start
        // memchr, because a loop over every byte would cost a tenth of the whole decoding.
        while offset < bytes.count - 1, let found = memchr(base + offset, 0xFF, bytes.count - 1 - offset) {
            offset = base.distance(to: UnsafeRawPointer(found))
            let code = bytes[offset + 1]
            if code != 0x00, code != 0xFF { return (offset, code) }
            offset += 1
        }
        return nil
    }
}
