// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidImaging

@Suite("What decoding needs")
struct DecodingNeedTests {
    /// What decoding a file asks for.
    static func need(
        of file: ByteBuffer,
        budget: DecodingBudget = .init(limit: .max),
        isDrawnOn: Bool = false
    ) throws -> DecodingNeed {
        var asked: DecodingNeed?
        let gate = DecodingGate(budget, isDrawnOn: isDrawnOn) { need in
            asked = need
            return nil
        }
        // The gate stays shut: no pixel is decoded.
        #expect(throws: ImagingError.cancelled) {
            try Picture(file, DecodingLimits(), appliesOrientation: true, .unlimited, gate)
        }
        #expect(gate.refused == asked)
        return try #require(asked)
    }

    @Test("is known of every format before its pixels are decoded")
    func formats() throws {
        let picture = try Picture.noise(width: 40, height: 30)
        let pixels = 1200
        let jpeg = try picture.encoded(as: .jpeg(quality: 90))
        #expect(try Self.need(of: jpeg).bytes == 3 * pixels)
        let turned = try SmallFiles.jpeg(picture, orientation: 6, bigEndian: true)
        #expect(try Self.need(of: ByteBuffer(bytes: Array(turned.readableBytesView))).bytes == 6 * pixels)
        let png = try picture.encoded(as: .png)
        #expect(try Self.need(of: png).bytes == 6 * pixels)
        // A black PNG of 16 × 16 in seven passes.
        let interlaced: [UInt8] = [
            137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 16, 0, 0,
            0, 16, 8, 2, 0, 0, 1, 231, 150, 88, 160, 0, 0, 0, 16, 73, 68, 65, 84, 40, 145, 99,
            96, 24, 5, 163, 96, 20, 96, 7, 0, 3, 30, 0, 1, 91, 75, 95, 88, 0, 0, 0, 0, 73,
            69, 78, 68, 174, 66, 96, 130,
        ]
        #expect(try Self.need(of: ByteBuffer(bytes: interlaced)).bytes == 7 * 256)
        #expect(try Self.need(of: ByteBuffer(bytes: WorkLimitTests.bitmap(width: 40, height: 30))).bytes == 3 * pixels)
        #expect(try Self.need(of: png).keptBytes == 3 * pixels)
    }

    @Test("includes the drawing and encoding that follow")
    func drawing() throws {
        let file = try Picture.noise(width: 40, height: 30).encoded(as: .jpeg(quality: 90))
        let need = try Self.need(of: file, isDrawnOn: true)
        #expect((need.bytes, need.keptBytes) == (9 * 1200, 9 * 1200))
    }

    @Test("makes a picture a large one by its memory or its time")
    func large() throws {
        let file = try Picture.noise(width: 40, height: 30).encoded(as: .png)
        #expect(try !Self.need(of: file, budget: .init(limit: 16 * 7200)).isLarge)
        #expect(try Self.need(of: file, budget: .init(limit: 16 * 7199)).isLarge)
        let size = PixelSize(width: 10_000, height: 1000)
        #expect(DecodingNeed(size, bytesPerPixel: 12, nanoseconds: 72).duration == .milliseconds(720))
        #expect(DecodingNeed(size, bytesPerPixel: 12, nanoseconds: 72).bytes == 120_000_000)
        #expect(DecodingNeed(size, bytesPerPixel: 3, nanoseconds: 5).bytes == 60_000_000)
        #expect(DecodingNeed(size, bytesPerPixel: 3, nanoseconds: 5, isTurned: false).bytes == 30_000_000)
    }

    @Test("lets formats that are decoded in one call have half as many pixels")
    func atOnce() throws {
        let limits = DecodingLimits(pixels: 100)
        #expect(limits.pixelsAtOnce == 50)
        for (width, isAllowed) in [(50, true), (51, false)] {
            let size = PixelSize(width: width, height: 1)
            try limits.check(size)
            if isAllowed {
                try limits.check(size, isAtOnce: true)
            } else {
                #expect(throws: ImagingError.tooLarge(.pixelsAtOnce, value: 51, limit: 50)) {
                    try limits.check(size, isAtOnce: true)
                }
            }
        }
        // A WebP of one colour, 64 × 64, lossless.
        let webp: [UInt8] = [
            82, 73, 70, 70, 32, 0, 0, 0, 87, 69, 66, 80, 86, 80, 56, 76, 20, 0, 0, 0, 47, 63,
            192, 15, 0, 7, 16, 17, 253, 15, 0, 9, 225, 255, 123, 45, 162, 255, 169, 31,
        ]
        #expect(try Self.need(of: ByteBuffer(bytes: webp)).bytes == 12 * 4096)
        #expect(throws: ImagingError.tooLarge(.pixelsAtOnce, value: 4096, limit: 4000)) {
            try Picture(decoding: ByteBuffer(bytes: webp), limits: DecodingLimits(pixels: 8000))
        }
    }
}
