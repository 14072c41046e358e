// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Reads single values of a configuration, each with what it must be.
struct ConfigurationReader {
    /// What the configuration is called in messages.
    let file: String
    /// The files' values over the defaults.
    let values: ConfigurationValue

    func integer(_ key: String, in range: ClosedRange<Int>) throws(Detectron2Error) -> Int {
        guard case .integer(let number) = values[key] ?? .none, range.contains(number) else {
            throw bad(key, "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func real(_ key: String, in range: ClosedRange<Double>) throws(Detectron2Error) -> Double {
        guard let number = Self.real(values[key] ?? .none), range.contains(number) else {
            throw bad(key, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func flag(_ key: String) throws(Detectron2Error) -> Bool {
        switch values[key] ?? .none {
        case .boolean(let value): return value
        case .integer(0): return false
        case .integer(1): return true
        default: throw bad(key, "True or False")
        }
    }

    func text(_ key: String) throws(Detectron2Error) -> String {
        switch values[key] ?? .none {
        case .text(let text): return text
        // An empty text, which is how Detectron2 writes “no normalisation”.
        case .none: return ""
        default: throw bad(key, "a word")
        }
    }

    func texts(_ key: String) throws(Detectron2Error) -> [String] {
        guard case .list(let elements) = values[key] ?? .none else { throw bad(key, "a list of words") }
        var texts: [String] = []
        for element in elements {
            guard case .text(let text) = element else { throw bad(key, "a list of words") }
            texts.append(text)
        }
        return texts
    }

    func flags(_ key: String) throws(Detectron2Error) -> [Bool] {
        guard case .list(let elements) = values[key] ?? .none else { throw bad(key, "a list of True and False") }
        var flags: [Bool] = []
        for element in elements {
            guard case .boolean(let flag) = element else { throw bad(key, "a list of True and False") }
            flags.append(flag)
        }
        return flags
    }

    func reals(
        _ key: String,
        count: Int,
        in range: ClosedRange<Double>
    ) throws(Detectron2Error) -> [Double] {
        guard case .list(let elements) = values[key] ?? .none else { throw bad(key, "a list of \(count) numbers") }
        let numbers = elements.compactMap(Self.real)
        guard numbers.count == elements.count, numbers.count == count, numbers.allSatisfy(range.contains) else {
            throw bad(key, "\(count) numbers from \(range.lowerBound) to \(range.upperBound)")
        }
        return numbers
    }

    /// One list of numbers for each of several levels: as many lists, or one that counts for all.
    ///
    /// `_broadcast_params` in Detectron2's `modeling/anchor_generator.py`.
    func realsByLevel(
        _ key: String,
        levels: Int,
        in range: ClosedRange<Double>
    ) throws(Detectron2Error) -> [[Double]] {
        let expected =
            "one list of numbers from \(range.lowerBound) to \(range.upperBound) for each of \(levels) levels"
        guard case .list(let elements) = values[key] ?? .none, !elements.isEmpty else { throw bad(key, expected) }
        var lists: [[Double]] = []
        if elements.allSatisfy({ Self.real($0) != nil }) {
            lists = [elements.compactMap(Self.real)]
        } else {
            for element in elements {
                guard case .list(let inner) = element, !inner.isEmpty else { throw bad(key, expected) }
                let numbers = inner.compactMap(Self.real)
                guard numbers.count == inner.count else { throw bad(key, expected) }
                lists.append(numbers)
            }
        }
        guard lists.allSatisfy({ $0.count <= 64 && $0.allSatisfy(range.contains) }) else { throw bad(key, expected) }
        if lists.count == 1 { return Array(repeating: lists[0], count: levels) }
        guard lists.count == levels else { throw bad(key, expected) }
        return lists
    }

    /// One of several words.
    func choice(_ key: String, of words: [String], reason: String) throws(Detectron2Error) -> String {
        let word = try text(key)
        guard words.contains(word) else { throw unsupported(key, reason) }
        return word
    }

    func bad(_ key: String, _ expected: String) -> Detectron2Error {
        .badValue(file: file, key: key, value: (values[key] ?? .none).description, expected: expected)
    }

    func unsupported(_ key: String, _ reason: String) -> Detectron2Error {
        .unsupported(file: file, key: key, value: (values[key] ?? .none).description, reason: reason)
    }

    private static func real(_ value: ConfigurationValue) -> Double? {
        switch value {
        case .integer(let number): Double(number)
        case .real(let number) where number.isFinite: number
        default: nil
        }
    }
}
