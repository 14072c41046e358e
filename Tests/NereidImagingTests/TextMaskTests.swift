// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidImaging

@Suite("Text mask")
struct TextMaskTests {
    @Test("draws text at the height asked for", arguments: [8, 14, 24, 100])
    func size(height: Int) throws {
        let mask = try TextMask("fish 0.87", height: height)
        #expect(mask.height == height)
        #expect(mask.coverage.count == mask.width * mask.height)
        #expect(mask.width > 2 * height && mask.width < 8 * height)
        #expect(mask.coverage.contains { $0 > 128 })
        #expect(mask.coverage.contains(0))
    }

    @Test("keeps capitals, accents and descenders within the height and letters on one baseline")
    func baseline() throws {
        func inkRows(_ text: String) throws -> ClosedRange<Int> {
            let mask = try TextMask(text, height: 40)
            let rows = (0..<mask.height).filter { y in
                mask.coverage[y * mask.width..<(y + 1) * mask.width].contains { $0 > 100 }
            }
            return try #require(rows.first)...#require(rows.last)
        }
        let (low, tall, deep) = try (inkRows("x"), inkRows("É"), inkRows("g"))
        #expect(low.upperBound == tall.upperBound)
        #expect(tall.lowerBound >= 0 && tall.lowerBound < low.lowerBound)
        #expect(deep.upperBound > low.upperBound && deep.upperBound < 40)
    }

    @Test("draws markup as it is written")
    func markup() throws {
        let plain = try TextMask("<b>&amp;\"'</b>", height: 20)
        #expect(try plain.width > TextMask("&\"'", height: 20).width)
        #expect(try TextMask("<", height: 20).width > 0)
    }

    @Test("makes one line of anything", arguments: ["a\nb", "a\r\nb", "a\tb", "a\0b", "a\u{1}b", "a\u{85}b"])
    func oneLine(text: String) throws {
        #expect(try TextMask(text, height: 20).coverage == TextMask("a b", height: 20).coverage)
    }

    @Test("has no width when there is nothing to draw", arguments: ["", "   ", "\n"])
    func empty(text: String) throws {
        let mask = try TextMask(text, height: 20)
        #expect((mask.width, mask.height, mask.coverage) == (0, 20, []))
    }

    @Test("draws other scripts without failing", arguments: ["魚", "рыба", "ψάρι", "🐟", "سمكة"])
    func scripts(text: String) throws {
        #expect(try TextMask(text, height: 20).width > 0)
    }

    @Test("refuses heights out of range", arguments: [-1, 0, 3, 513])
    func heights(height: Int) {
        #expect(
            throws: ImagingError.textFailed(reason: "a line is 4 to 512 pixels high, not \(height)")
        ) {
            try TextMask("a", height: height)
        }
    }
}
