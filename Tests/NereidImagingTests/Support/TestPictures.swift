// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import TestSupport
import NIOCore

@testable import NereidImaging

extension Picture {
    /// A smooth picture that no turn and no swap of channels leaves as it is.
    static func gradient(width: Int, height: Int) throws -> Picture {
        var pixels: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                pixels += [
                    UInt8(255 * x / max(width - 1, 1)), UInt8(255 * y / max(height - 1, 1)),
                    UInt8(128 * (x + 2 * y) / (width + 2 * height)),
                ]
            }
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    /// The hardest picture for a resizer.
    static func noise(width: Int, height: Int, seed: UInt64 = 1) throws -> Picture {
        var generator = SeededGenerator(seed: seed)
        let pixels = (0..<width * height * 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    func pixel(_ x: Int, _ y: Int) -> [UInt8] {
        Array(pixels[((y * width + x) * 3)..<((y * width + x) * 3 + 3)])
    }

    /// The largest difference to another picture of the same size, in grey levels.
    func largestDifference(to other: Picture) -> Int {
        zip(pixels, other.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
    }

    /// The mean difference to another picture of the same size, in grey levels.
    func meanDifference(to other: Picture) -> Double {
        let sum = zip(pixels, other.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        return Double(sum) / Double(pixels.count)
    }
}

extension Letterbox {
    /// Renders into fresh memory and returns its bytes.
    func rendered(_ picture: Picture, as encoding: PixelEncoding) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: encoding.byteCount(for: input))
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        try render(picture, as: encoding, into: &raw)
        return bytes
    }

    /// Renders interleaved bytes, unscaled.
    func renderedPixels(_ picture: Picture) throws -> Picture {
        let encoding = PixelEncoding(element: .uint8, layout: .interleaved, scale: 1)
        return try Picture(width: input.width, height: input.height, pixels: rendered(picture, as: encoding))
    }
}

/// Little pictures, byte by byte.
enum SmallFiles {
    /// One black pixel.
    static let gif: [UInt8] =
        Array("GIF89a".utf8) + [
            1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3B,
        ]

    /// A BMP whose header says what the arguments say, right or wrong.
    static func bmp(
        width: Int,
        height: Int,
        bits: Int,
        compression: Int = 0,
        planes: Int = 1,
        palette: [UInt8] = [],
        pixels: [UInt8]
    ) -> [UInt8] {
        func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        let offset = 54 + palette.count
        let file = Array("BM".utf8) + bytes(UInt32(offset + pixels.count)) + bytes(UInt32(0)) + bytes(UInt32(offset))
        let shape = bytes(UInt32(40)) + bytes(Int32(width)) + bytes(Int32(height))
        let kind = bytes(UInt16(planes)) + bytes(UInt16(bits)) + bytes(UInt32(compression)) + bytes(UInt32(0))
        let rest = bytes(Int32(2835)) + bytes(Int32(2835)) + bytes(UInt32(palette.count / 4)) + bytes(UInt32(0))
        return file + shape + kind + rest + palette + pixels
    }

    /// A JPEG with an EXIF segment that holds nothing but an orientation.
    static func jpeg(_ picture: Picture, orientation: Int, bigEndian: Bool) throws -> ByteBuffer {
        let jpeg = try picture.encoded(as: .jpeg(quality: 100))
        return ByteBuffer(
            bytes: [0xFF, 0xD8] + exif(orientation, bigEndian: bigEndian) + jpeg.readableBytesView.dropFirst(2)
        )
    }

    private static func exif(_ orientation: Int, bigEndian: Bool) -> [UInt8] {
        func number(_ value: Int, _ count: Int) -> [UInt8] {
            let bytes = (0..<count).map { UInt8(value >> (8 * $0) & 0xFF) }
            return bigEndian ? bytes.reversed() : bytes
        }
        let entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + [0, 0]
        let tiff =
            Array((bigEndian ? "MM" : "II").utf8) + number(42, 2) + number(8, 4) + number(1, 2) + entry + number(0, 4)
        let body = Array("Exif\0\0".utf8) + tiff
        return [0xFF, 0xE1, UInt8((body.count + 2) >> 8), UInt8((body.count + 2) & 0xFF)] + body
    }
}

/// Decodes, expecting an error of this room.
func errorOfDecoding(_ bytes: ByteBuffer, limits: DecodingLimits = DecodingLimits()) -> ImagingError? {
    do {
        _ = try Picture(decoding: bytes, limits: limits)
        return nil
    } catch {
        return error as? ImagingError
    }
}

func errorOfDecoding(_ bytes: some Sequence<UInt8>, limits: DecodingLimits = DecodingLimits()) -> ImagingError? {
    errorOfDecoding(ByteBuffer(bytes: bytes), limits: limits)
}
