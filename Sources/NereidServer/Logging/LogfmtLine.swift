// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels

/// One line of logfmt, without its end.
///
/// A value stands as it is when it is one word. With white space, a quotation mark, an equals sign, a backslash or an
/// unprintable character in it, or nothing at all, it is a JSON string: `"…"` with `\"`, `\\`, `\n`, `\r`, `\t` and `\u202e`.
/// A value beyond ``longestValue`` bytes is cut, and says so.
struct LogfmtLine {
    private(set) var text = ""

    /// The most bytes of a value that are written.
    static let longestValue = 4096

    /// Adds a key and its value.
    mutating func append(_ key: String, _ value: String) {
        if !text.isEmpty { text.append(" ") }
        text.append(Self.key(key))
        text.append("=")
        text.append(Self.value(Self.bounded(value)))
    }

    /// A key has letters, digits, `_`, `-` and `.` of ASCII; anything else becomes `_`.
    private static func key(_ key: String) -> String {
        func isAllowed(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "_-.".utf8.contains(byte)
            }
        }
        if key.isEmpty { return "_" }
        if key.utf8.allSatisfy(isAllowed) { return key }
        return String(decoding: key.utf8.map { isAllowed($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
    }

    private static func bounded(_ value: String) -> String {
        let count = value.utf8.count
        guard count > longestValue else { return value }
        var end = value.utf8.index(value.utf8.startIndex, offsetBy: longestValue)
        // Not in the middle of a character.
        while end.samePosition(in: value.unicodeScalars) == nil { end = value.utf8.index(before: end) }
        return "\(value[..<end])… (\(count) bytes)"
    }

    private static func value(_ value: String) -> String {
        value.isEmpty || value.unicodeScalars.contains(where: isSpecial) ? quoted(value) : value
    }

    private static func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        // Most are, and properties take long to look up.
        case "!", "#"..."<", ">"..."[", "]"..."~": false
        case "\"", "=", "\\": true
        default: scalar.isUnprintable || scalar.properties.isWhitespace
        }
    }

    private static func quoted(_ value: String) -> String {
        var quoted = String.UnicodeScalarView()
        quoted.append("\"")
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                quoted.append("\\")
                quoted.append(scalar)
            case "\n": quoted.append(contentsOf: "\\n".unicodeScalars)
            case "\r": quoted.append(contentsOf: "\\r".unicodeScalars)
            case "\t": quoted.append(contentsOf: "\\t".unicodeScalars)
            case " "..."~": quoted.append(scalar)
            default:
                if scalar.isUnprintable {
                    for unit in UTF16.encode(scalar)! { quoted.append(contentsOf: escape(unit).unicodeScalars) }
                } else {
                    quoted.append(scalar)
                }
            }
        }
        quoted.append("\"")
        return String(quoted)
    }

    private static func escape(_ unit: UInt16) -> String {
        let digits = String(unit, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
}
