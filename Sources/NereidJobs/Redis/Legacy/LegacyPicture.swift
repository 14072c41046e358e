// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidImaging

/// A picture in the format of the older server's lists: JSON with its size and its pixels, blue, green and red, as little-endian
/// 32-bit numbers from 0 to 255 in base64.
///
/// A pixel has twelve bytes, which make sixteen characters. The lower two bytes of the numbers from 0 to 255 are always zero, so
/// that of the four groups of three bytes each depends on one channel only: three tables replace conversion and base64.
struct LegacyPicture: Sendable {
    /// The number that goes with every pixel: base64's sixteen characters.
    static let bytesPerPixel = 16

    /// The most pixels of a picture: Redis takes 512 MiB in one piece.
    static let mostPixels = 32_000_000

    private let picture: Picture

    init(_ picture: Picture) {
        self.picture = picture
    }

    /// The entry of the list. Takes sixteen bytes for every pixel; blocks its thread for that long.
    ///
    /// - Parameter limit: when the work must stop; looked at for every row. Default: not before it has ended.
    /// - Throws: what the limit throws.
    func json(id: String, limit: WorkLimit = .unlimited) throws(ImagingError) -> ByteBuffer {
        let head = #"{"id": "\#(id)", "height": \#(picture.height), "width": \#(picture.width), "image": ""#
        let tail = "\"}"
        let length = picture.width * picture.height * Self.bytesPerPixel
        var json = ByteBuffer()
        json.reserveCapacity(head.utf8.count + length + tail.utf8.count)
        json.writeString(head)
        var outcome = Result<Void, ImagingError>.success(())
        json.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { characters in
            outcome = Result { () throws(ImagingError) in try write(to: characters, limit) }
            return length
        }
        try outcome.get()
        json.writeString(tail)
        return json
    }

    private func write(
        to characters: UnsafeMutableRawBufferPointer,
        _ limit: WorkLimit
    ) throws(ImagingError) {
        for row in 0..<picture.height {
            try limit.check()
            write(row * picture.width..<(row + 1) * picture.width, to: characters)
        }
    }

    private func write(_ range: Range<Int>, to characters: UnsafeMutableRawBufferPointer) {
        picture.withPixels { pixels in
            pixels.withUnsafeBufferPointer { pixels in
                Self.blue.withUnsafeBufferPointer { blue in
                    Self.greenAndRed.withUnsafeBufferPointer { greenAndRed in
                        for pixel in range {
                            let place = pixel * Self.bytesPerPixel
                            let (r, g, b) = (pixels[pixel * 3], pixels[pixel * 3 + 1], pixels[pixel * 3 + 2])
                            let rest = greenAndRed[Int(g)] | greenAndRed[256 + Int(r)]
                            characters.storeBytes(of: blue[Int(b)], toByteOffset: place, as: UInt64.self)
                            characters.storeBytes(of: rest, toByteOffset: place + 8, as: UInt64.self)
                        }
                    }
                }
            }
        }
    }

    /// The first eight characters, by the pixel's blue.
    private static let blue = (0...255).map { value in
        let (low, high) = upperBytes(of: value)
        return word([0, 0, low, high, 0, 0])
    }

    /// The last eight characters, but for what red says, by green; then what red says, by red.
    private static let greenAndRed =
        (0...255).map { value in
            let (low, high) = upperBytes(of: value)
            return word([low, high, 0, 0, 0, 0]) & firstHalf
        }
        + (0...255).map { value in
            let (low, high) = upperBytes(of: value)
            return word([0, 0, 0, 0, low, high]) & ~firstHalf
        }

    /// What selects the first four of eight characters.
    private static let firstHalf = UInt64(UInt32.max).littleEndian

    /// The upper two bytes of a number as a 32-bit float; the lower two are zero for whole numbers up to 255.
    private static func upperBytes(of value: Int) -> (UInt8, UInt8) {
        let bits = Float(value).bitPattern
        return (UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 24))
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Six bytes as the eight characters that they are in base64, the first one lowest in memory.
    private static func word(_ bytes: [UInt8]) -> UInt64 {
        let bits = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let characters = (0..<8).reduce(UInt64(0)) { word, place in
            word | UInt64(alphabet[Int(bits >> (42 - 6 * UInt64(place)) & 63)]) << (8 * UInt64(place))
        }
        return characters.littleEndian
    }
}
