// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Arithmetic as Detectron2's configurations write it behind `!!python/object/apply:eval`, evaluated without Python.
///
/// Numbers, lists and tuples, `+ - * / ** ( )`, and one comprehension over a list:
/// `[[x, x * 2**(1.0/3), x * 2**(2.0/3)] for x in [32, 64, 128]]`. A name other than the comprehension's own, a call, an
/// attribute, an index or a text is refused and named. Length, depth, exponents and the number of results are bounded, so
/// that an expression from an untrusted file costs next to nothing.
struct ArithmeticExpression: Sendable {
    /// What may stand in an expression.
    enum Scope: Sendable {
        /// Arithmetic and a comprehension.
        case arithmetic
        /// Literals alone, texts among them: how tuples are written as text.
        case literals
    }

    /// Why an expression is refused, in words that follow “the expression …”.
    struct Refusal: Error, Equatable {
        let reason: String
    }

    /// The longest expression, in bytes. Detectron2's own has 62.
    static let maximumLength = 4096
    /// The deepest nesting of brackets, signs and powers.
    static let maximumDepth = 24

    let root: Term

    /// A part of an expression.
    indirect enum Term: Sendable {
        case value(ConfigurationValue)
        case variable
        case list([Term])
        case negation(Term)
        case operation(Operator, Term, Term)
        case comprehension(Term, over: Term)
    }

    enum Operator: String, Sendable {
        case plus = "+"
        case minus = "-"
        case times = "*"
        case divided = "/"
        case power = "**"
    }

    /// - Throws: ``Refusal`` when the text is anything else.
    init(parsing text: String, allowing scope: Scope = .arithmetic) throws(Refusal) {
        guard text.utf8.count <= Self.maximumLength else {
            throw Refusal(reason: "is longer than \(Self.maximumLength) bytes")
        }
        var parser = Parser(try ArithmeticToken.tokens(of: text), scope: scope)
        root = try parser.whole()
    }

    /// Recursive descent over the tokens; its depth is bounded.
    private struct Parser {
        private let tokens: [ArithmeticToken]
        private let scope: Scope
        private var position = 0
        private var depth = 0
        /// The comprehension's variable once it is known.
        private var variable: String?
        private var hasComprehension = false

        init(_ tokens: [ArithmeticToken], scope: Scope) {
            self.tokens = tokens
            self.scope = scope
            // The variable is used before it is named, so it is looked up first.
            if let place = tokens.firstIndex(of: .name("for")), place + 1 < tokens.count,
                case .name(let name) = tokens[place + 1]
            {
                variable = name
            }
        }

        private var next: ArithmeticToken? { position < tokens.count ? tokens[position] : nil }

        mutating func whole() throws(Refusal) -> Term {
            let term = try sum()
            if let next { throw Refusal(reason: "goes on with \(next) where it should end") }
            return term
        }

        private mutating func sum() throws(Refusal) -> Term {
            var term = try product()
            while let sign = take(.plus, .minus) { term = .operation(sign, term, try product()) }
            return term
        }

        private mutating func product() throws(Refusal) -> Term {
            var term = try signed()
            while let sign = take(.times, .divided) { term = .operation(sign, term, try signed()) }
            return term
        }

        /// A sign binds less than a power and more than a product, as in Python.
        private mutating func signed() throws(Refusal) -> Term {
            try enter()
            defer { depth -= 1 }
            if next == .symbol("-") {
                position += 1
                return .negation(try signed())
            }
            if next == .symbol("+") {
                position += 1
                return try signed()
            }
            let base = try atom()
            guard take(.power) != nil else { return base }
            return .operation(.power, base, try signed())
        }

        private mutating func atom() throws(Refusal) -> Term {
            guard let token = next else { throw Refusal(reason: "ends too early") }
            position += 1
            let term: Term
            switch token {
            case .number(let number): term = .value(number)
            case .text(let text):
                guard scope == .literals else {
                    throw Refusal(reason: "has a text, \(Excerpt(text, limit: 40)), in it")
                }
                term = .value(.text(text))
            case .symbol("["): term = try list(until: "]")
            case .symbol("("): term = try group()
            case .name(let name):
                guard name == variable, scope == .arithmetic else {
                    throw Refusal(reason: "uses the name \(Excerpt(name, limit: 40))")
                }
                term = .variable
            case .symbol: throw Refusal(reason: "has \(token) where a number or a list should be")
            }
            switch next {
            case .symbol("("): throw Refusal(reason: "calls something")
            case .symbol("["): throw Refusal(reason: "indexes something")
            default: return term
            }
        }

        /// What stands in square brackets: elements, or a comprehension.
        private mutating func list(until end: Character) throws(Refusal) -> Term {
            try enter()
            defer { depth -= 1 }
            var elements: [Term] = []
            while next != .symbol(end) {
                elements.append(try sum())
                if next == .name("for"), elements.count == 1, scope == .arithmetic {
                    let term = try comprehension(of: elements[0])
                    try require(end)
                    return term
                }
                guard next == .symbol(",") else { break }
                position += 1
            }
            try require(end)
            return .list(elements)
        }

        /// What stands in parentheses: a term, or a tuple when there is a comma.
        private mutating func group() throws(Refusal) -> Term {
            let start = position
            guard case .list(let elements) = try list(until: ")") else {
                throw Refusal(reason: "has a generator in parentheses")
            }
            let hasComma = position >= 2 && tokens[position - 2] == .symbol(",")
            return elements.count == 1 && !hasComma && position > start + 1 ? elements[0] : .list(elements)
        }

        private mutating func comprehension(of element: Term) throws(Refusal) -> Term {
            guard !hasComprehension else { throw Refusal(reason: "has more than one comprehension") }
            hasComprehension = true
            position += 1
            guard case .name(let name) = next, name == variable else {
                throw Refusal(reason: "has a comprehension without a variable")
            }
            position += 1
            guard next == .name("in") else { throw Refusal(reason: "has a comprehension over several variables") }
            position += 1
            // The list that is gone through can't use the variable.
            variable = nil
            let source = try sum()
            if case .name(let word) = next {
                throw Refusal(reason: "has \(Excerpt(word, limit: 40)) in its comprehension")
            }
            return .comprehension(element, over: source)
        }

        private mutating func take(_ operators: Operator...) -> Operator? {
            guard scope == .arithmetic, case .symbol(let symbol) = next else { return nil }
            let isDouble = symbol == "*" && position + 1 < tokens.count && tokens[position + 1] == .symbol("*")
            guard let found = Operator(rawValue: isDouble ? "**" : String(symbol)), operators.contains(found) else {
                return nil
            }
            position += isDouble ? 2 : 1
            return found
        }

        private mutating func require(_ symbol: Character) throws(Refusal) {
            guard next == .symbol(symbol) else {
                throw Refusal(
                    reason: next.map { "has \($0) where ‘\(symbol)’ should be" } ?? "ends without ‘\(symbol)’"
                )
            }
            position += 1
        }

        private mutating func enter() throws(Refusal) {
            depth += 1
            guard depth <= maximumDepth else {
                throw Refusal(reason: "is nested more than \(maximumDepth) levels deep")
            }
        }
    }
}

/// The smallest part of an expression that means something.
enum ArithmeticToken: Equatable, CustomStringConvertible {
    case number(ConfigurationValue)
    case name(String)
    case text(String)
    case symbol(Character)

    var description: String {
        switch self {
        case .number(let number): "the number \(number)"
        case .name(let name): "the name \(Excerpt(name, limit: 40))"
        case .text(let text): "the text \(Excerpt(text, limit: 40))"
        case .symbol(let symbol): Excerpt(String(symbol)).description
        }
    }

    static func tokens(of text: String) throws(ArithmeticExpression.Refusal) -> [ArithmeticToken] {
        var tokens: [ArithmeticToken] = []
        var rest = text[...]
        while let first = rest.first {
            switch first {
            case " ", "\t", "\n", "\r", "\r\n":
                rest.removeFirst()
            case "0"..."9":
                tokens.append(.number(try number(&rest)))
            case "." where rest.dropFirst().first.map { ("0"..."9").contains($0) } == true:
                tokens.append(.number(try number(&rest)))
            case "a"..."z", "A"..."Z", "_":
                let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                tokens.append(.name(String(name)))
                rest = rest[name.endIndex...]
            case "'", "\"":
                rest.removeFirst()
                let content = rest.prefix { $0 != first && $0 != "\\" }
                rest = rest[content.endIndex...]
                guard rest.popFirst() == first else { throw .init(reason: "has a text that does not end") }
                tokens.append(.text(String(content)))
            default:
                tokens.append(.symbol(first))
                rest.removeFirst()
            }
        }
        return tokens
    }

    private static func number(_ rest: inout Substring) throws(ArithmeticExpression.Refusal) -> ConfigurationValue {
        var digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
        var after = rest[digits.endIndex...]
        if let letter = after.first, letter == "e" || letter == "E" {
            let sign = after.dropFirst().prefix(1).allSatisfy { $0 == "-" || $0 == "+" } ? 1 : 0
            let exponent = after.dropFirst(1 + sign).prefix { ("0"..."9").contains($0) }
            guard !exponent.isEmpty else { throw .init(reason: "has a number that does not end") }
            digits = rest[..<exponent.endIndex]
            after = rest[exponent.endIndex...]
        }
        guard let number = ConfigurationValue(number: String(digits)) else {
            throw .init(reason: "has \(Excerpt(String(digits), limit: 40)) where a number should be")
        }
        rest = after
        return number
    }
}
