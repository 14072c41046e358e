// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A header's parameter with its character set: `UTF-8''Seegurke%20%E2%9D%84.png` (RFC 8187, section 3.2).
struct ExtendedValue: Equatable {
    let text: String

    /// Reads a value of at most 1024 bytes in UTF-8 or ISO 8859-1; `nil` for everything that is not one: an unknown character
    /// set, a percent sign without two hexadecimal digits, bytes that are not in the character set, control characters.
    ///
    /// Characters that should have been escaped are taken as they are, since clients leave them so.
    init?(_ value: String) {
        let parts = value.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
        guard value.utf8.count <= 1024, parts.count == 3, let bytes = Self.decoded(parts[2].utf8) else { return nil }
        let text: String?
        switch parts[0].lowercased() {
        case "utf-8": text = String(validating: bytes, as: UTF8.self)
        case "iso-8859-1": text = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        default: text = nil
        }
        guard let text, text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            return nil
        }
        self.text = text
    }

    private static func decoded(_ escaped: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = escaped.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
