// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import TestSupport
import Testing

@testable import NereidImaging

@Suite("Limits of work")
struct WorkLimitTests {
    @Test("end work at its deadline")
    func deadline() throws {
        let clock = StepClock()
        let limit = WorkLimit(deadline: clock.start + .seconds(3), now: clock.now)
        try limit.check()
        try limit.check()
        #expect(throws: ImagingError.deadlinePassed) { try limit.check() }
        #expect(throws: ImagingError.deadlinePassed) { try limit.check() }
        #expect(clock.count == 4)
    }

    @Test("end work that is cancelled, whatever time is left")
    func cancellation() throws {
        let flag = CancellationFlag()
        let limit = WorkLimit(deadline: .now + .seconds(3600), flag: flag)
        try limit.check()
        #expect(!flag.isSet)
        flag.set()
        #expect(flag.isSet)
        #expect(throws: ImagingError.cancelled) { try limit.check() }
    }

    @Test("do nothing where there is none")
    func unlimited() throws {
        try WorkLimit.unlimited.check()
    }

    /// Every kind of work of this room, with how often it must look at its limit at least.
    struct Work: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let checks: Int
        let run: @Sendable (WorkLimit) throws -> Void
    }

    static func letterbox(_ resampling: Letterbox.Resampling, _ picture: PixelSize) -> Work {
        Work(testDescription: "letterbox, \(resampling), \(picture)", checks: 48) { limit in
            let letterbox = Letterbox(
                picture: picture,
                target: PixelSize(width: 64, height: 48),
                fit: .stretch,
                resampling: resampling
            )
            var bytes = [UInt8](repeating: 0, count: PixelEncoding().byteCount(for: letterbox.input))
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            try letterbox.render(
                .gradient(width: picture.width, height: picture.height),
                as: PixelEncoding(),
                into: &raw,
                limit: limit
            )
        }
    }

    static func decoding(_ name: String, checks: Int, _ file: @escaping @Sendable () throws -> ByteBuffer) -> Work {
        Work(testDescription: "decoding, \(name)", checks: checks) { limit in
            _ = try Picture(decoding: file(), limit: limit)
        }
    }

    /// Shrinking, halving, enlarging, and copying.
    static let sizes = [(150, 130), (128, 96), (20, 10), (64, 48)].map { PixelSize(width: $0.0, height: $0.1) }

    static let letterboxes: [Work] = Letterbox.Resampling.allCases.flatMap { resampling in
        sizes.map { letterbox(resampling, $0) }
    }

    static let others: [Work] = [
        Work(testDescription: "padding", checks: 3 * 32) { limit in
            let letterbox = Letterbox(
                picture: PixelSize(width: 64, height: 32),
                target: PixelSize(width: 64, height: 64),
                fit: .square
            )
            var bytes = [UInt8](repeating: 0, count: PixelEncoding().byteCount(for: letterbox.input))
            var span = bytes.mutableSpan
            var raw = span.mutableBytes
            try letterbox.render(.gradient(width: 64, height: 32), as: PixelEncoding(), into: &raw, limit: limit)
        },
        decoding("PNG", checks: 100) { try Picture.noise(width: 20, height: 100).encoded(as: .png) },
        decoding("JPEG", checks: 2) { try Picture.noise(width: 20, height: 100).encoded(as: .jpeg(quality: 90)) },
        decoding("BMP", checks: 100) { ByteBuffer(bytes: bitmap(width: 4, height: 100)) },
        Work(testDescription: "turning upright", checks: 4) { limit in
            let deadline = DecodingDeadline(DecodingLimits(), limit)
            let size = PixelSize(width: 256, height: 10)
            let pixels = [UInt8](repeating: 1, count: size.pixelCount * 3)
            _ = try DecodedPixels(size: size, pixels: pixels, orientation: .quarterTurn).turnedUpright(deadline)
        },
        Work(testDescription: "writing a PNG", checks: 4) { limit in
            _ = try Picture.noise(width: 256, height: 2048).encoded(as: .png, limit: limit)
        },
        Work(testDescription: "writing a JPEG", checks: 2) { limit in
            _ = try Picture.noise(width: 16, height: 16).encoded(as: .jpeg(quality: 90), limit: limit)
        },
    ]

    /// A BMP of 24 bits without compression.
    static func bitmap(width: Int, height: Int) -> [UInt8] {
        var file = ByteBuffer(string: "BM")
        let bytes = width * 3 * height
        file.writeMultipleIntegers(UInt32(54 + bytes), UInt32(0), UInt32(54), UInt32(40), endianness: .little)
        file.writeMultipleIntegers(Int32(width), Int32(height), UInt16(1), UInt16(24), endianness: .little)
        file.writeBytes([UInt8](repeating: 0, count: 24 + bytes))
        return Array(file.readableBytesView)
    }

    @Test("are looked at on the way by every piece of work", arguments: letterboxes + others)
    func work(work: Work) throws {
        try work.run(.unlimited)
        #expect(throws: ImagingError.deadlinePassed) { try work.run(.ending(after: 0)) }
        #expect(throws: ImagingError.deadlinePassed) { try work.run(.ending(after: work.checks - 1)) }
        let flag = CancellationFlag()
        flag.set()
        #expect(throws: ImagingError.cancelled) { try work.run(WorkLimit(flag: flag)) }
    }
}
