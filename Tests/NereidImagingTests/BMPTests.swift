// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidImaging

@Suite("BMP")
struct BMPTests {
    @Test("24 and 32 bits, from the bottom and from the top", arguments: [24, 32], [false, true])
    func trueColour(bits: Int, topDown: Bool) throws {
        for (width, height) in [(1, 1), (2, 3), (5, 4), (16, 2)] {
            let picture = try Picture.noise(width: width, height: height)
            var stored: [UInt8] = []
            for y in topDown ? Array(0..<height) : (0..<height).reversed() {
                for x in 0..<width {
                    stored += picture.pixel(x, y).reversed() + (bits == 32 ? [0x7F] : [])
                }
                stored += [UInt8](repeating: 0xEE, count: (4 - width * bits / 8 % 4) % 4)
            }
            let file = SmallFiles.bmp(width: width, height: topDown ? -height : height, bits: bits, pixels: stored)
            let decoded = try Picture(decoding: ByteBuffer(bytes: file))
            #expect(decoded.format == .bmp)
            #expect(decoded.size == picture.size)
            #expect(decoded.pixels == picture.pixels)
        }
    }

    @Test("8 bits with a palette")
    func palette() throws {
        let palette: [UInt8] = [3, 2, 1, 0, 30, 20, 10, 0]
        let file = SmallFiles.bmp(
            width: 3,
            height: 2,
            bits: 8,
            palette: palette,
            pixels: [0, 1, 0, 9, 1, 1, 0, 9]
        )
        let decoded = try Picture(decoding: ByteBuffer(bytes: file))
        #expect(decoded.pixels == [10, 20, 30, 10, 20, 30, 1, 2, 3, 1, 2, 3, 10, 20, 30, 1, 2, 3])
    }

    @Test("a colour beyond the palette is damage")
    func badIndex() {
        let file = SmallFiles.bmp(width: 1, height: 1, bits: 8, palette: [1, 2, 3, 0], pixels: [7, 0, 0, 0])
        #expect(errorOfDecoding(file) == .damaged(.bmp, reason: "a pixel has colour 7 of a palette of 1"))
    }

    @Test("missing pixels are damage")
    func cutShort() {
        let file = SmallFiles.bmp(width: 2, height: 2, bits: 24, pixels: [UInt8](repeating: 0, count: 15))
        #expect(errorOfDecoding(file) == .damaged(.bmp, reason: "its pixels are cut short"))
        #expect(errorOfDecoding(file.prefix(30)) == .damaged(.bmp, reason: "its header is cut short"))
        #expect(errorOfDecoding("BM".utf8) == .damaged(.bmp, reason: "its header is cut short"))
    }

    @Test(
        "headers that cannot be are damage",
        arguments: [(0, 1, 24, 1), (1, 0, 24, 1), (-1, 1, 24, 1), (1, 1, 3, 1), (1, 1, 24, 2)]
    )
    func badHeader(width: Int, height: Int, bits: Int, planes: Int) {
        let file = SmallFiles.bmp(width: width, height: height, bits: bits, planes: planes, pixels: [0, 0, 0, 0])
        guard case .damaged(.bmp, _)? = errorOfDecoding(file) else {
            Issue.record("accepted, or refused for another reason")
            return
        }
    }

    @Test("a height of −2³¹ is only a large number")
    func extremeHeight() {
        let file = SmallFiles.bmp(width: 1, height: Int(Int32.min), bits: 24, pixels: [0, 0, 0, 0])
        #expect(errorOfDecoding(file) == .tooLarge(.side, value: 2_147_483_648, limit: 32_768))
    }

    @Test(
        "other BMPs are refused with the reason",
        arguments: [(8, 1, "run lengths"), (32, 3, "masks"), (24, 5, "PNG"), (16, 0, "16 bits"), (1, 0, "1 bit")]
    )
    func unsupported(bits: Int, compression: Int, word: String) {
        let file = SmallFiles.bmp(width: 1, height: 1, bits: bits, compression: compression, pixels: [0, 0, 0, 0])
        guard case .unsupportedKind(let kind)? = errorOfDecoding(file) else {
            Issue.record("accepted, or refused for another reason")
            return
        }
        #expect(kind.contains(word))
    }
}
