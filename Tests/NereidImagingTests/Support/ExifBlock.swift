// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

@testable import NereidImaging

/// A block of EXIF data that holds nothing but when a picture was taken, and the files that it can be in.
struct ExifBlock {
    var dateTime = "2023:06:01 12:34:56"
    var offset: String?
    var isBigEndian = false
    /// Whether the tags are in the first directory instead of EXIF's own.
    var isInFirstDirectory = false

    /// From the TIFF header on.
    var bytes: [UInt8] {
        func number(_ value: Int, _ count: Int) -> [UInt8] {
            let bytes = (0..<count).map { UInt8(value >> (8 * $0) & 0xFF) }
            return isBigEndian ? bytes.reversed() : bytes
        }
        let texts = [(0x9003, dateTime)] + (offset.map { [(0x9011, $0)] } ?? [])
        let start = isInFirstDirectory ? 8 : 26
        var (entries, values): ([UInt8], [UInt8]) = ([], [])
        for (tag, text) in texts {
            let value = Array(text.utf8) + [0]
            let place = start + 2 + 12 * texts.count + 4 + values.count
            entries += number(tag, 2) + number(2, 2) + number(value.count, 4)
            // What fits into four bytes is in the entry itself.
            entries += value.count > 4 ? number(place, 4) : value + [UInt8](repeating: 0, count: 4 - value.count)
            values += value.count > 4 ? value : []
        }
        let header = Array((isBigEndian ? "MM" : "II").utf8) + number(42, 2) + number(8, 4)
        let pointer = number(1, 2) + number(0x8769, 2) + number(4, 2) + number(1, 4) + number(26, 4) + number(0, 4)
        return header + (isInFirstDirectory ? [] : pointer) + number(texts.count, 2) + entries + number(0, 4) + values
    }

    /// A JPEG with the block in its first segment.
    func jpeg(_ picture: Picture) throws -> ByteBuffer {
        let body = Array("Exif\0\0".utf8) + bytes
        let head = [0xFF, 0xD8, 0xFF, 0xE1, UInt8((body.count + 2) >> 8), UInt8((body.count + 2) & 0xFF)]
        return ByteBuffer(
            bytes: head + body + (try picture.encoded(as: .jpeg(quality: 90))).readableBytesView.dropFirst(2)
        )
    }

    /// A PNG with the block in a chunk right behind the header, or right before the end.
    func png(_ picture: Picture, isLast: Bool) throws -> ByteBuffer {
        let png = Array(try picture.encoded(as: .png).readableBytesView)
        let content = Array("eXIf".utf8) + bytes
        let chunk = Self.bigEndian(bytes.count) + content + Self.bigEndian(Self.checksum(content))
        // A signature of 8 bytes and the chunk IHDR of 25; the chunk IEND has 12.
        let place = isLast ? png.count - 12 : 33
        return ByteBuffer(bytes: png[..<place] + chunk + png[place...])
    }

    /// As much of a WebP as has chunks.
    var webp: [UInt8] {
        func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
            let length = (0..<4).map { UInt8(content.count >> (8 * $0) & 0xFF) }
            return Array(name.utf8) + length + content + [UInt8](repeating: 0, count: content.count % 2)
        }
        return chunk("RIFF", []) + Array("WEBP".utf8) + chunk("VP8X", [UInt8](repeating: 8, count: 9))
            + chunk("EXIF", bytes)
    }

    private static func bigEndian(_ number: Int) -> [UInt8] {
        (0..<4).reversed().map { UInt8(number >> (8 * $0) & 0xFF) }
    }

    /// The checksum of PNG's chunks (PNG, third edition, annex D).
    private static func checksum(_ bytes: [UInt8]) -> Int {
        let sum = bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { rest, _ in rest & 1 == 1 ? rest >> 1 ^ 0xEDB8_8320 : rest >> 1 }
        }
        return Int(~sum)
    }
}
