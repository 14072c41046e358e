// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidImaging

@Suite("Resampling")
struct ResamplingTests {
    /// Noise that other programs can make too: the upper bytes of a linear congruential generator (Numerical Recipes).
    private static func noise(width: Int, height: Int) throws -> Picture {
        var state = UInt32(width * 1000 + height)
        let pixels = (0..<width * height * 3).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
        return try Picture(width: width, height: height, pixels: pixels)
    }

    /// FNV-1a, 64 bits.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    struct Sample: Sendable {
        let source: PixelSize
        let target: PixelSize
        let hash: UInt64

        init(_ width: Int, _ height: Int, to targetWidth: Int, _ targetHeight: Int, _ hash: UInt64) {
            source = PixelSize(width: width, height: height)
            target = PixelSize(width: targetWidth, height: targetHeight)
            self.hash = hash
        }
    }

    /// What `Image.resize(size, Image.BILINEAR)` of Pillow 13.0.0 makes of the noise above.
    static let samples = [
        Sample(17, 13, to: 5, 4, 0x92fa_aacc_1aa1_aa61), Sample(5, 4, to: 17, 13, 0x886d_7951_2996_44a4),
        Sample(64, 48, to: 20, 48, 0x9071_a028_cf32_7c8b), Sample(64, 48, to: 64, 11, 0xd9a2_bfe1_62f4_aabe),
        Sample(31, 31, to: 31, 31, 0x5567_7f23_fcd9_0974), Sample(100, 7, to: 3, 21, 0x08dc_491e_9182_bb49),
        Sample(1, 1, to: 4, 3, 0x08a8_1325_f815_a581), Sample(9, 200, to: 9, 7, 0x3153_943d_ab20_4b51),
        Sample(640, 427, to: 336, 224, 0xbd2f_c09e_c654_7065),
    ]

    @Test("with antialiasing gives Pillow's pixels to the last bit", arguments: samples)
    func pillow(sample: Sample) throws {
        let picture = try Self.noise(width: sample.source.width, height: sample.source.height)
        let box = Letterbox(
            picture: picture.size,
            target: sample.target,
            fit: .stretch,
            resampling: .antialiased
        )
        #expect(Self.hash(try box.renderedPixels(picture).pixels) == sample.hash)
    }

    @Test("with antialiasing lets every pixel count, without it only two a side")
    func everyPixel() throws {
        // One white column of sixteen, where no bilinear tap of a quarter of the width looks.
        var pixels = [UInt8](repeating: 0, count: 16 * 3)
        pixels.replaceSubrange(0..<3, with: [255, 255, 255])
        let picture = try Picture(width: 16, height: 1, pixels: pixels)
        let target = PixelSize(width: 4, height: 1)
        func first(_ resampling: Letterbox.Resampling) throws -> UInt8 {
            try Letterbox(picture: picture.size, target: target, fit: .stretch, resampling: resampling)
                .renderedPixels(picture).pixels[0]
        }
        #expect(try first(.bilinear) == 0)
        // The triangle is cut at the edge: weights 5, 7, 7, 5, 3, 1 of 28.
        #expect(try first(.antialiased) == UInt8((255 * 5.0 / 28).rounded()))
    }

    @Test(
        "with precision differs from exact bilinear resizing by rounding errors only",
        arguments: [(97, 61), (33, 90), (64, 64), (5, 3), (1, 1), (192, 80)]
    )
    func precise(width: Int, height: Int) throws {
        let picture = try Picture.noise(width: width, height: height)
        let target = PixelSize(width: 96, height: 40)
        let box = Letterbox(picture: picture.size, target: target, fit: .stretch, resampling: .precise)
        let bytes = try box.rendered(picture, as: PixelEncoding(layout: .interleaved, scale: 1))
        let values = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        func taps(_ index: Int, _ source: Int, _ target: Int) -> (Int, Int, Double) {
            let position = (Double(index) + 0.5) * Double(source) / Double(target) - 0.5
            let first = position.rounded(.down)
            func clamped(_ value: Double) -> Int { Int(min(max(value, 0), Double(source - 1))) }
            return (clamped(first), clamped(first + 1), position - first)
        }
        for y in 0..<target.height {
            for x in 0..<target.width {
                let (x0, x1, fx) = taps(x, width, target.width)
                let (y0, y1, fy) = taps(y, height, target.height)
                for channel in 0..<3 {
                    func value(_ x: Int, _ y: Int) -> Double { Double(picture.pixel(x, y)[channel]) }
                    let upper = value(x0, y0) * (1 - fx) + value(x1, y0) * fx
                    let lower = value(x0, y1) * (1 - fx) + value(x1, y1) * fx
                    let expected = upper * (1 - fy) + lower * fy
                    let found = Double(values[(y * target.width + x) * 3 + channel])
                    // Places in single precision are right to 1e-5 of a pixel, and neighbours differ by 255.
                    try #require(abs(found - expected) < 0.01, "(\(x), \(y)) \(channel)")
                }
            }
        }
    }

    @Test("with precision keeps fractions and pads with the same grey")
    func fractions() throws {
        let picture = try Picture(width: 2, height: 1, pixels: [0, 0, 0, 1, 1, 1])
        let box = Letterbox(
            picture: picture.size,
            target: PixelSize(width: 4, height: 4),
            fit: .square,
            resampling: .precise
        )
        let bytes = try box.rendered(picture, as: PixelEncoding(channels: .bgr, scale: 1))
        let values = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        #expect(values[..<12] == [114, 114, 114, 114, 0, 0.25, 0.75, 1, 0, 0.25, 0.75, 1])
    }

    @Test("with precision copies equal sizes and averages halves, as OpenCV does")
    func exceptions() throws {
        let picture = try Picture.noise(width: 8, height: 6)
        let same = Letterbox(picture: picture.size, target: picture.size, fit: .square, resampling: .precise)
        #expect(try same.renderedPixels(picture).pixels == picture.pixels)
        let half = Letterbox(
            picture: picture.size,
            target: PixelSize(width: 4, height: 3),
            fit: .square,
            resampling: .precise
        )
        let bytes = try half.rendered(picture, as: PixelEncoding(layout: .interleaved, scale: 1))
        let values = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        let corner = (0..<3).map { channel in
            [(0, 0), (1, 0), (0, 1), (1, 1)].reduce(0) { $0 + Float(picture.pixel($1.0, $1.1)[channel]) } / 4
        }
        #expect(Array(values[..<3]) == corner)
    }
}
