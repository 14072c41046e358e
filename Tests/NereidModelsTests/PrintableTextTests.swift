// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidModels

@Suite("Printable text")
struct PrintableTextTests {
    @Test(
        "escapes what a terminal would act on",
        arguments: [
            ("a\nb", "a\\nb"), ("a\r\nb", "a\\r\\nb"), ("\tb", "\\tb"), ("\u{1B}[31mred", "\\u{1b}[31mred"),
            ("\u{0}", "\\u{0}"), ("\u{7F}\u{9B}", "\\u{7f}\\u{9b}"), ("exe.\u{202E}xnno", "exe.\\u{202e}xnno"),
            ("\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"), ("\u{200E}\u{200F}\u{61C}", "\\u{200e}\\u{200f}\\u{61c}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"), ("\u{FEFF}a\u{AD}", "\\u{feff}a\\u{ad}"),
        ]
    )
    func escapes(text: String, expected: String) {
        #expect(!text.isPrintable)
        #expect(text.printable() == expected)
        #expect(text.printable().isPrintable)
    }

    @Test("leaves the rest", arguments: ["", "Seeigel ❄ v2.1", "C:\\x", "می\u{200C}خواهم", "👩\u{200D}🔬", "a\u{A0}b"])
    func rest(text: String) {
        #expect(text.isPrintable)
        #expect(text.printable() == text)
    }

    @Test("keeps what it is told to")
    func keeping() {
        #expect("a\nb\u{1B}".printable(keeping: ["\n"]) == "a\nb\\u{1b}")
    }
}
