// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidImaging

@Suite("Fitting by the shortest edge")
struct ShortestEdgeTests {
    private static func letterbox(_ width: Int, _ height: Int, _ short: Int, _ long: Int, stride: Int = 32) -> Letterbox
    {
        Letterbox(
            picture: PixelSize(width: width, height: height),
            target: PixelSize(width: long, height: short),
            fit: .shortestEdge,
            stride: stride,
            resampling: .antialiased
        )
    }

    @Test("gives the sizes that Detectron2 gives, padded at the right and below")
    func sizes() {
        let upright = Self.letterbox(810, 1080, 800, 1333)
        #expect(upright.content == PixelSize(width: 800, height: 1067))
        #expect(upright.input == PixelSize(width: 800, height: 1088))
        let wide = Self.letterbox(1280, 720, 800, 1333)
        #expect(wide.content == PixelSize(width: 1333, height: 750))
        #expect(wide.input == PixelSize(width: 1344, height: 768))
        #expect((wide.left, wide.top) == (0, 0))
        #expect(Self.letterbox(1920, 1080, 720, 1280, stride: 1).input == PixelSize(width: 1280, height: 720))
        #expect(Self.letterbox(100_000, 1, 800, 1333).content == PixelSize(width: 1333, height: 1))
    }

    @Test("scales boxes back by what the sides really became")
    func back() {
        let wide = Self.letterbox(1280, 720, 800, 1333)
        #expect(abs(wide.pictureX(1333) - 1280) < 1e-3)
        #expect(abs(wide.pictureY(750) - 720) < 1e-3)
        #expect(abs(wide.inputX(wide.pictureX(77)) - 77) < 1e-3)
    }

    @Test("puts zeros around the picture, whatever the mean is")
    func zeros() throws {
        let picture = try Picture(width: 4, height: 2, pixels: [UInt8](repeating: 200, count: 24))
        let letterbox = Letterbox(
            picture: picture.size,
            target: PixelSize(width: 4, height: 2),
            fit: .shortestEdge,
            stride: 4
        ).padded(to: PixelSize(width: 8, height: 4))
        #expect(letterbox.input == PixelSize(width: 8, height: 4))
        let encoding = PixelEncoding(scale: 1, mean: .init(100, 110, 120), padsWithZero: true)
        var bytes = [UInt8](repeating: 7, count: encoding.byteCount(for: letterbox.input))
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        try letterbox.render(picture, as: encoding, into: &raw)
        let values = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        for channel in 0..<3 {
            for row in 0..<4 {
                for column in 0..<8 {
                    let expected = row < 2 && column < 4 ? Float(200 - 100 - 10 * channel) : 0
                    #expect(values[channel * 32 + row * 8 + column] == expected)
                }
            }
        }
    }
}
