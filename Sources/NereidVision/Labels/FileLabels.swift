// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The names of classes as a file's metadata give them, each with the number that the file states for it.
///
/// These forms are read, as exporters and people write them: a Python dictionary or a JSON object from class number to name, an
/// `OrderedDict`, a dictionary from name to number, a list, lines or YAML, and names with commas between them. A name is never
/// given to another number than the stated one: what can't be read whole is not read.
struct FileLabels: Sendable, Hashable {
    /// The names by class number.
    let names: [Int: String]
    /// How many classes the file tells of, where no number is left out and the form leaves no doubt; else `nil`.
    var count: Int? { isCertain && !names.isEmpty && names.count == end ? end : nil }

    private let isCertain: Bool
    /// One more than the highest number.
    private var end: Int { (names.keys.max() ?? -1) + 1 }

    /// No model has more classes.
    private static let mostClasses = 1 << 20
    private static let longestName = 1024

    /// Reads the text; `nil` when it is in none of the forms.
    init?(_ text: String) {
        let read: [Int: String]?
        if let literal = PythonLiteral(parsing: text) {
            read = Self.names(in: literal)
        } else {
            read = Self.names(inPlain: text)
        }
        guard let read, read.keys.allSatisfy({ (0..<Self.mostClasses).contains($0) }),
            read.values.allSatisfy({ $0.utf8.count <= Self.longestName })
        else { return nil }
        names = read
        // A word alone may be anything.
        isCertain = read.count != 1 || PythonLiteral(parsing: text) != nil
    }

    /// One name for each class of a model that has `classes` of them, 0 when that is not known; and what is to be said of
    /// them, if all is not well.
    func labels(classes: Int) -> (labels: Labels, warning: String?) {
        let count = classes > 0 ? classes : end
        if !isCertain, count != 1 {
            return (.numbered(count), "are one word, but the model has \(count) classes; the classes are numbered")
        }
        let missing = (0..<count).first { names[$0] == nil }
        if end > count {
            return (
                .numbered(count), "name class \(end - 1), but the model has \(count) classes; the classes are numbered"
            )
        }
        let labels = Labels((0..<count).map { names[$0] ?? "class \($0)" })
        return (labels, missing.map { "name \(names.count) of \(count) classes; class \($0) has no name" })
    }

    // MARK: Literals

    private static func names(in literal: PythonLiteral) -> [Int: String]? {
        var names: [Int: String] = [:]
        switch literal {
        case .list(let elements):
            for (number, element) in elements.enumerated() {
                guard let name = Self.text(element) else { return nil }
                names[number] = name
            }
        case .dictionary(let entries):
            let isInverted = !entries.isEmpty && entries.allSatisfy { number($0.key) == nil && isInteger($0.value) }
            for entry in entries {
                let (key, value) = isInverted ? (entry.value, entry.key) : (entry.key, entry.value)
                guard let number = Self.number(key), let name = Self.text(value),
                    names.updateValue(name, forKey: number) == nil
                else { return nil }
            }
        case .string(let name):
            return Self.names(inPlain: name)
        default:
            return nil
        }
        return names
    }

    private static func text(_ literal: PythonLiteral) -> String? {
        switch literal {
        case .string(let text): text
        case .integer(let number): String(number)
        case .real(let number): String(number)
        default: nil
        }
    }

    private static func number(_ literal: PythonLiteral) -> Int? {
        switch literal {
        case .integer(let number): number
        // JSON has no other keys.
        case .string(let text): Int(text)
        default: nil
        }
    }

    private static func isInteger(_ literal: PythonLiteral) -> Bool {
        if case .integer = literal { true } else { false }
    }

    // MARK: Plain text

    /// Names in lines, YAML's included, or with commas between them.
    private static func names(inPlain text: String) -> [Int: String]? {
        guard let first = text.first(where: { !$0.isWhitespace }), !"{[(<\"'".contains(first) else { return nil }
        var parts = text.split(whereSeparator: \.isNewline).map(Self.trimmed)
        if parts.count > 1, parts.first == "names:" { parts.removeFirst() }
        if parts.count == 1 {
            parts = parts[0].split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
        }
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && !$0.unicodeScalars.contains(where: Self.isControl) })
        else {
            return nil
        }
        let numbered = parts.map(Self.numbered)
        if numbered.allSatisfy({ $0 != nil }) {
            var names: [Int: String] = [:]
            for (number, name) in numbered.compactMap(\.self) {
                guard names.updateValue(name, forKey: number) == nil else { return nil }
            }
            return names
        }
        if parts.allSatisfy({ $0.hasPrefix("- ") }) { parts = parts.map { unquoted(trimmed($0.dropFirst(2))) } }
        // A call or an assignment is no name.
        guard parts.count > 1 || !parts[0].contains(where: "()[]{}=:".contains) else { return nil }
        return Dictionary(uniqueKeysWithValues: zip(0..., parts.map { unquoted($0[...]) }))
    }

    /// The number and the name of `7: name`.
    private static func numbered(_ part: String) -> (Int, String)? {
        guard let colon = part.firstIndex(of: ":"), let number = Int(part[..<colon]) else { return nil }
        let name = unquoted(trimmed(part[part.index(after: colon)...])[...])
        return name.isEmpty ? nil : (number, name)
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop(while: \.isWhitespace)
        return String(start.reversed().drop(while: \.isWhitespace).reversed())
    }

    private static func unquoted(_ text: some StringProtocol) -> String {
        guard text.count >= 2, let quote = text.first, quote == "'" || quote == "\"", text.last == quote else {
            return String(text)
        }
        return String(text.dropFirst().dropLast())
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control
    }
}
