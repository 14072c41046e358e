// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

@Suite("Text that people edit")
struct EditedTextTests {
    static let texts = ["labels: [Seegurke, 海鼠, 🐟]\n", "a", "a: b"]

    static func bytes<Unit: FixedWidthInteger>(_ units: some Sequence<Unit>, bigEndian: Bool) -> [UInt8] {
        units.flatMap { unit in
            withUnsafeBytes(of: bigEndian ? unit.bigEndian : unit.littleEndian) { Array($0) }
        }
    }

    @Test("is read in UTF-8, UTF-16 and UTF-32, with a byte order mark and without", arguments: texts)
    func encodings(text: String) {
        for content in ["\u{FEFF}" + text, text] {
            #expect(EditedText(Array(content.utf8))?.text == text)
            for bigEndian in [false, true] {
                #expect(EditedText(Self.bytes(content.utf16, bigEndian: bigEndian))?.text == text)
                let scalars = content.unicodeScalars.map(\.value)
                #expect(EditedText(Self.bytes(scalars, bigEndian: bigEndian))?.text == text)
            }
        }
    }

    @Test("keeps a byte order mark that is not the first character, and may be empty")
    func edges() {
        #expect(EditedText(Array("a\u{FEFF}b".utf8))?.text == "a\u{FEFF}b")
        #expect(EditedText([UInt8]())?.text == "")
        #expect(EditedText([0xEF, 0xBB, 0xBF] as [UInt8])?.text == "")
        #expect(EditedText([0xFF, 0xFE] as [UInt8])?.text == "")
        #expect(EditedText(Array("äöü".utf8))?.text == "äöü")
    }

    @Test(
        "is told from bytes that are no text",
        arguments: [
            // Latin-1, half a character, zeros in UTF-8, half a unit, half of a surrogate pair, zeros in UTF-16.
            [0xE4, 0xF6], [0x61, 0xC3], [0x61, 0x62, 0x00, 0x63], [0xFF, 0xFE, 0x61], [0xFF, 0xFE, 0x00, 0xD8],
            [0xFE, 0xFF, 0x00, 0x61, 0x00, 0x00], [0x00], [0x00, 0x00, 0x00, 0x00], [0x80, 0x02, 0x7D, 0x71],
        ] as [[UInt8]]
    )
    func noText(bytes: [UInt8]) {
        #expect(EditedText(bytes) == nil)
    }
}
