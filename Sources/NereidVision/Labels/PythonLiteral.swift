// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A value written as Python source or JSON, as exporters leave it in a graph's metadata: `{0: 'person', 1: "it's"}`, `[640, 640]`.
///
/// Only literals are read: dictionaries, lists, tuples, strings, numbers, `True`, `False` and `None`, and JSON's words for the
/// last three. Nothing is evaluated. The few calls that Python writes for values of its own and of NumPy stand for what is in
/// their brackets, such as `OrderedDict([(0, 'person')])` and `np.str_('person')`; any other call or name gives `nil`.
///
/// Grammar: The Python Language Reference, sections 2.4 (literals) and 6.2 (displays); RFC 8259.
enum PythonLiteral: Equatable {
    case none
    case boolean(Bool)
    case integer(Int)
    case real(Double)
    case string(String)
    case list([PythonLiteral])
    case dictionary([(key: PythonLiteral, value: PythonLiteral)])

    /// Reads a literal that takes up the whole text; `nil` if it does not.
    init?(parsing text: String) {
        var parser = PythonLiteralParser(text)
        guard let value = parser.parseWhole() else { return nil }
        self = value
    }

    static func == (left: PythonLiteral, right: PythonLiteral) -> Bool {
        switch (left, right) {
        case (.none, .none): true
        case (.boolean(let a), .boolean(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.real(let a), .real(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.list(let a), .list(let b)): a == b
        case (.dictionary(let a), .dictionary(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
        default: false
        }
    }
}

/// A recursive-descent reader of ``PythonLiteral`` over the text's UTF-8.
struct PythonLiteralParser {
    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    /// Nesting deeper than this is refused rather than followed: labels are one level deep.
    private static let maximumDepth = 16

    init(_ text: String) {
        bytes = Array(text.utf8)
    }

    mutating func parseWhole() -> PythonLiteral? {
        guard let value = parseValue() else { return nil }
        skipSpace()
        return position == bytes.count ? value : nil
    }

    private mutating func parseValue() -> PythonLiteral? {
        skipSpace()
        guard let first = peek, depth < Self.maximumDepth else { return nil }
        depth += 1
        defer { depth -= 1 }
        switch first {
        case UInt8(ascii: "{"): return parseDictionary()
        case UInt8(ascii: "["): return parseSequence(closing: UInt8(ascii: "]"))
        case UInt8(ascii: "("): return parseSequence(closing: UInt8(ascii: ")"))
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return parseString().map(PythonLiteral.string)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
            return parseNumber()
        default: return parseKeyword()
        }
    }

    private mutating func parseDictionary() -> PythonLiteral? {
        position += 1
        var entries: [(key: PythonLiteral, value: PythonLiteral)] = []
        while true {
            if take(UInt8(ascii: "}")) { return .dictionary(entries) }
            guard let key = parseValue(), take(UInt8(ascii: ":")), let value = parseValue() else { return nil }
            entries.append((key, value))
            if take(UInt8(ascii: ",")) { continue }
            return take(UInt8(ascii: "}")) ? .dictionary(entries) : nil
        }
    }

    private mutating func parseSequence(closing: UInt8) -> PythonLiteral? {
        position += 1
        var elements: [PythonLiteral] = []
        while true {
            if take(closing) { return .list(elements) }
            guard let element = parseValue() else { return nil }
            elements.append(element)
            if take(UInt8(ascii: ",")) { continue }
            return take(closing) ? .list(elements) : nil
        }
    }

    private mutating func parseString() -> String? {
        let quote = bytes[position]
        position += 1
        var text: [UInt8] = []
        while let byte = peek {
            position += 1
            switch byte {
            case quote: return String(validating: text, as: UTF8.self)
            case UInt8(ascii: "\\"): guard appendEscape(to: &text) else { return nil }
            default: text.append(byte)
            }
        }
        return nil
    }

    private mutating func appendEscape(to text: inout [UInt8]) -> Bool {
        guard let escape = peek else { return false }
        position += 1
        switch escape {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        // Only JSON has the slash.
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "/"): text.append(escape)
        case UInt8(ascii: "x"): return appendScalar(hexDigits: 2, to: &text)
        case UInt8(ascii: "u"): return appendScalar(hexDigits: 4, to: &text)
        case UInt8(ascii: "U"): return appendScalar(hexDigits: 8, to: &text)
        default: text.append(contentsOf: [UInt8(ascii: "\\"), escape])
        }
        return true
    }

    private mutating func appendScalar(hexDigits count: Int, to text: inout [UInt8]) -> Bool {
        guard var value = takeHexadecimal(count) else { return false }
        // JSON writes characters beyond the first plane as two halves.
        if (0xD800..<0xDC00).contains(value), bytes[position...].starts(with: "\\u".utf8) {
            position += 2
            guard let low = takeHexadecimal(4), (0xDC00..<0xE000).contains(low) else { return false }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { return false }
        text.append(contentsOf: String(Character(scalar)).utf8)
        return true
    }

    private mutating func takeHexadecimal(_ count: Int) -> UInt32? {
        guard position + count <= bytes.count,
            let digits = String(validating: bytes[position..<position + count], as: UTF8.self),
            let value = UInt32(digits, radix: 16)
        else { return nil }
        position += count
        return value
    }

    private mutating func parseNumber() -> PythonLiteral? {
        let start = position
        while let byte = peek, Self.numberBytes.contains(byte) { position += 1 }
        guard let text = String(validating: bytes[start..<position], as: UTF8.self) else { return nil }
        if let integer = Int(text) { return .integer(integer) }
        return Double(text).map(PythonLiteral.real)
    }

    private mutating func parseKeyword() -> PythonLiteral? {
        let word = takeName()
        switch word {
        case "True", "true": return .boolean(true)
        case "False", "false": return .boolean(false)
        case "None", "null": return PythonLiteral.none
        default: return parseCall(of: word)
        }
    }

    private mutating func takeName() -> String {
        let start = position
        while let byte = peek, Self.nameBytes.contains(byte) { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// What is in the brackets of a call that stands for a value.
    private mutating func parseCall(of name: String) -> PythonLiteral? {
        let last = name.split(separator: ".").last.map(String.init) ?? ""
        guard Self.calls.contains(last), Self.modules.contains(String(name.dropLast(last.count))) else { return nil }
        guard take(UInt8(ascii: "(")) else { return nil }
        let isDictionary = last == "OrderedDict"
        if isDictionary, take(UInt8(ascii: ")")) { return .dictionary([]) }
        guard let value = parseValue() else { return nil }
        // What kind of array it is does not matter.
        if take(UInt8(ascii: ",")) {
            skipSpace()
            guard last == "array", takeName() == "dtype", take(UInt8(ascii: "=")) else { return nil }
            skipSpace()
            guard peek.map(Self.quotes.contains) == true ? parseString() != nil : !takeName().isEmpty else {
                return nil
            }
        }
        guard take(UInt8(ascii: ")")) else { return nil }
        return isDictionary ? Self.dictionary(value) : value
    }

    /// The dictionary of a list of pairs.
    private static func dictionary(_ value: PythonLiteral) -> PythonLiteral? {
        guard case .list(let pairs) = value else {
            if case .dictionary = value { return value }
            return nil
        }
        var entries: [(key: PythonLiteral, value: PythonLiteral)] = []
        for pair in pairs {
            guard case .list(let parts) = pair, parts.count == 2 else { return nil }
            entries.append((parts[0], parts[1]))
        }
        return .dictionary(entries)
    }

    private static let modules: Set<String> = ["", "collections.", "np.", "numpy."]
    private static let calls: Set<String> = [
        "OrderedDict", "array", "str_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16",
        "float32", "float64",
    ]
    private static let nameBytes = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.".utf8)
    private static let quotes = Set("'\"".utf8)

    private static let numberBytes = Set("0123456789+-.eE".utf8)

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || (0x09...0x0D).contains(byte) { position += 1 }
    }
}
