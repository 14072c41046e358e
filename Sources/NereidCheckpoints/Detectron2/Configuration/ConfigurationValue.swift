// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A value in a configuration file: plain data, whatever the file called it.
enum ConfigurationValue: Sendable, Hashable {
    case none
    case boolean(Bool)
    case integer(Int)
    case real(Double)
    case text(String)
    case list([ConfigurationValue])
    case table([String: ConfigurationValue])

    /// Reads an unquoted or quoted word as Detectron2 does: what is a Python literal becomes its value.
    ///
    /// YAML 1.1's words for truth values count, and so do Python's. Tuples are written as text, `(640, 720, 800)`.
    init(scalar text: String) {
        let trimmed = text.trimmingSpaces
        switch trimmed {
        case "", "~", "null", "Null", "NULL", "None": self = .none
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": self = .boolean(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": self = .boolean(false)
        default:
            if let number = Self(number: trimmed) {
                self = number
            } else if let first = trimmed.first, first == "(" || first == "[",
                let value = try? ArithmeticExpression(parsing: trimmed, allowing: .literals).value()
            {
                self = value
            } else {
                self = .text(text)
            }
        }
    }

    /// A number as YAML and Python write it; what is too large for an integer becomes a real one.
    init?(number text: String) {
        switch text.lowercased() {
        case ".inf", "+.inf": self = .real(.infinity)
        case "-.inf": self = .real(-.infinity)
        case ".nan": self = .real(.nan)
        default:
            // `Double` would also take hexadecimal numbers and the word “infinity”.
            guard let first = text.utf8.first(where: { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "+") }),
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) || first == UInt8(ascii: "."),
                text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) })
            else { return nil }
            if let integer = Int(text) {
                self = .integer(integer)
            } else if let real = Double(text) {
                self = .real(real)
            } else {
                return nil
            }
        }
    }

    /// This value with another laid over it: tables key by key, everything else replaced.
    func overlaid(by other: ConfigurationValue) -> ConfigurationValue {
        guard case .table(let lower) = self, case .table(let upper) = other else { return other }
        return .table(lower.merging(upper) { $0.overlaid(by: $1) })
    }

    /// The value at a path of keys, `MODEL.RESNETS.DEPTH`; `nil` when there is none.
    subscript(path: String) -> ConfigurationValue? {
        path.split(separator: ".").reduce(ConfigurationValue?.some(self)) { value, key in
            if case .table(let entries) = value { entries[String(key)] } else { nil }
        }
    }
}

extension ConfigurationValue: CustomStringConvertible {
    /// The value for a message: short, on one line.
    var description: String {
        switch self {
        case .none: "nothing"
        case .boolean(let value): value ? "True" : "False"
        case .integer(let number): String(number)
        case .real(let number): String(number)
        case .text(let text): Excerpt(text, limit: 60).description
        case .list(let elements):
            "[\(elements.prefix(4).map(\.summary).joined(separator: ", "))\(elements.count > 4 ? ", …" : "")]"
        case .table(let entries): "a table of \(entries.count) keys"
        }
    }

    /// As ``description``, lists within lists by their length.
    private var summary: String {
        if case .list(let elements) = self { "a list of \(elements.count)" } else { description }
    }
}

extension String {
    /// The text without spaces and line breaks at its ends.
    var trimmingSpaces: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0.isNewline }
        return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
