// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import TestSupport
import Testing

@testable import NereidImaging

@Suite("Orientation in metadata")
struct OrientationMetadataTests {
    static let pictures = PillowFixture.read("orientation")

    @Test("has as many examples as were made")
    func count() {
        #expect(Self.pictures.count == 26)
    }

    @Test("is found wherever programs write it; EXIF goes before XMP", arguments: pictures)
    func turned(fixture: PillowFixture) throws {
        let stored = try Picture(decoding: fixture.bytes, appliesOrientation: false)
        #expect(stored.size == PixelSize(width: 6, height: 4))
        let number = try #require(fixture.orientation)
        let orientation = try #require(Orientation(rawValue: number))
        let upright = try Picture(decoding: fixture.bytes)
        #expect(try upright.pixels == orientation.turn(stored.pixels, of: stored.size))
        #expect(upright.size == (orientation.swapsSides ? stored.size.transposed : stored.size))
        // As the fixture was painted, within what JPEG loses.
        #expect(zip(stored.pixel(5, 3), [200, 180, 100]).allSatisfy { abs(Int($0) - $1) < 16 })
    }

    @Test("never makes metadata that are damaged an error, or read beyond their end")
    func damaged() {
        var generator = SeededGenerator(seed: 7)
        for round in 0..<3000 {
            let fixture = Self.pictures[round % Self.pictures.count]
            guard let format = PictureFormat.recognise(fixture.bytes), [.png, .webp, .tiff].contains(format) else {
                continue
            }
            var bytes = Array(fixture.file)
            bytes.removeLast(Int.random(in: 0..<bytes.count - 12, using: &generator))
            for _ in 0..<2 {
                bytes[.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            bytes.withUnsafeBytes { _ = OrientationEvidence(of: $0, as: format).result }
        }
    }

    @Test("in XMP is a digit by itself")
    func xmp() {
        func orientation(_ text: String) -> Orientation? {
            Array(text.utf8).withUnsafeBytes { Orientation(xmp: $0) }
        }
        #expect(orientation("tiff:Orientation=\"6\"") == .quarterTurn)
        #expect(orientation("xtiff:Orientation\n=\n'3' ") == .upsideDown)
        #expect(orientation("<tiff:Orientation> 8 </tiff:Orientation>") == .threeQuarterTurn)
        #expect(orientation("<?tiff:Orientation?> tiff:Orientation=\"6\"") == .quarterTurn)
        for text in [
            "", "t", "tiff:Orientation", "tiff:Orientation=", "tiff:Orientation=\"", "tiff:Orientation=\"6",
            "tiff:Orientation=\"66\"", "tiff:Orientation=\"0\"", "tiff:Orientation=\"9\"", "tiff:Orientations=\"6\"",
            "tiff:Orientation 6 ", "exif:Orientation=\"6\"",
        ] {
            #expect(orientation(text) == nil, "\(text)")
        }
    }
}
