// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import TestSupport
import Testing

@testable import NereidImaging

@Suite("Transparency")
struct TransparencyTests {
    static let pictures = PillowFixture.read("transparent")

    @Test("has as many examples as were made")
    func count() {
        #expect(Self.pictures.count == 23)
    }

    @Test("leaves each pixel the colour that Pillow's convert(\"RGB\") gives it", arguments: pictures)
    func colours(fixture: PillowFixture) throws {
        let picture = try Picture(decoding: fixture.bytes)
        #expect([picture.width, picture.height] == [fixture.width, fixture.height])
        let expected = try #require(fixture.rgb)
        #expect(picture.pixels.count == expected.count)
        let largest = zip(picture.pixels, expected).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
        #expect(largest <= fixture.tolerance ?? 0)
    }

    @Test("GIFs that are cut short anywhere are damaged, never read beyond the end")
    func cutShort() throws {
        let gifs = Self.pictures.filter { $0.name.hasPrefix("GIF") && $0.file.count < 200 }
        try #require(gifs.count > 5)
        for gif in gifs {
            var whole = 0
            for count in 6..<gif.file.count {
                switch errorOfDecoding(gif.file.prefix(count)) {
                case .damaged(.gif, _)?: #expect(whole == 0, "\(gif.name), \(count) bytes")
                // Complete but for the end of the block, the next picture or the trailer.
                case nil: whole += 1
                case let error?: Issue.record("\(gif.name), \(count) bytes: \(error)")
                }
            }
            #expect(whole < gif.file.count / 2)
        }
    }

    @Test("GIFs are survived however they are damaged")
    func mutations() throws {
        let gifs = Self.pictures.filter { $0.name.hasPrefix("GIF") && $0.file.count < 1000 }
        var generator = SeededGenerator(seed: 12)
        for round in 0..<4000 {
            var bytes = Array(gifs[round % gifs.count].file)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 6..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let limits = DecodingLimits(pixels: 1 << 20)
            do {
                let picture = try Picture(decoding: ByteBuffer(bytes: bytes), limits: limits)
                #expect(picture.pixels.count == picture.width * picture.height * 3)
            } catch {
                #expect(error is ImagingError)
            }
        }
    }

    @Test("a GIF with codes that were not made, too many bits or no picture is damaged")
    func damaged() {
        var gif = SmallFiles.gif
        gif[29] = 9
        #expect(errorOfDecoding(gif) == .damaged(.gif, reason: "its pixels begin with codes of 9 bits"))
        gif[29] = 2
        // After the clear code 4 comes 6, which no code has made.
        gif[31] = 0b00_110_100
        #expect(errorOfDecoding(gif) == .damaged(.gif, reason: "its pixels hold a code that was not made before"))
        #expect(
            errorOfDecoding(SmallFiles.gif.prefix(19) + [0x3B])
                == .damaged(.gif, reason: "it ends before the first picture")
        )
        gif = SmallFiles.gif
        gif[24] = 0
        #expect(errorOfDecoding(gif) == .damaged(.gif, reason: "its first picture has 0×1 pixels"))
    }

    @Test("a GIF's size is held to the limits before any pixel is decoded, the picture beyond the screen included")
    func limits() {
        var gif = SmallFiles.gif
        (gif[6], gif[7], gif[8], gif[9]) = (0xFF, 0xFF, 0xFF, 0xFF)
        #expect(errorOfDecoding(gif) == .tooLarge(.side, value: 65_535, limit: 32_768))
        gif = SmallFiles.gif
        (gif[20], gif[21]) = (0xFF, 0xFF)
        #expect(errorOfDecoding(gif) == .tooLarge(.side, value: 65_536, limit: 32_768))
        #expect(
            errorOfDecoding(SmallFiles.gif, limits: DecodingLimits(duration: .zero)) == .timedOut(limit: .zero)
        )
    }
}
