// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Values with their character set")
struct ExtendedValueTests {
    static let values: [(value: String, text: String?)] = [
        ("UTF-8''reef.png", "reef.png"),
        ("utf-8'en'a%20b.png", "a b.png"),
        ("UTF-8''Seegurke%20%E2%9D%84%20%e6%b5%b7%e9%bc%a0.png", "Seegurke ❄ 海鼠.png"),
        ("iso-8859-1''Tauchg%E4nge.png", "Tauchgänge.png"),
        ("UTF-8''it's.png", "it's.png"),
        ("UTF-8''❄.png", "❄.png"),
        ("UTF-8''", ""),
        ("", nil),
        ("reef.png", nil),
        ("UTF-8'reef.png", nil),
        ("''reef.png", nil),
        ("UTF-16''reef.png", nil),
        ("UTF-8''a%2", nil),
        ("UTF-8''a%", nil),
        ("UTF-8''a%zz", nil),
        ("UTF-8''a%+1", nil),
        ("UTF-8''%FF.png", nil),
        ("UTF-8''%C0%AF", nil),
        ("UTF-8''%ED%A0%80", nil),
        ("UTF-8''a%00b", nil),
        ("UTF-8''a%0D%0Ab", nil),
        ("UTF-8''a%C2%85b", nil),
        ("UTF-8''" + String(repeating: "a", count: 1017), String(repeating: "a", count: 1017)),
        ("UTF-8''" + String(repeating: "a", count: 1018), nil),
    ]

    @Test("are decoded, or refused as a whole", arguments: values)
    func decoded(value: String, text: String?) {
        #expect(ExtendedValue(value)?.text == text)
    }
}
