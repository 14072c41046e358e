// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension String {
    /// The text as editors save it: UTF-8 with a byte order mark, and UTF-16 of both byte orders with one and without.
    package var encodings: [[UInt8]] {
        func utf16(_ text: String, _ isBigEndian: Bool) -> [UInt8] {
            text.utf16.flatMap {
                isBigEndian ? [UInt8($0 >> 8), UInt8($0 & 0xFF)] : [UInt8($0 & 0xFF), UInt8($0 >> 8)]
            }
        }
        let marked = "\u{FEFF}" + self
        return [
            Array(utf8), Array(marked.utf8), utf16(self, false), utf16(self, true), utf16(marked, false),
            utf16(marked, true),
        ]
    }
}
