// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A dictionary in the order in which its keys were first set, as in Python.
struct DictionaryRecord: Sendable {
    private(set) var keys: [ValueIndex] = []
    private(set) var values: [ValueIndex] = []
    /// Attributes of the dictionary itself, such as `_metadata` of a module's parameters.
    var state: ValueIndex?

    private var identities: [DictionaryKey] = []
    // Most dictionaries of a module tree are tiny: for these, looking through them is faster and far smaller.
    private var positions: [DictionaryKey: Int] = [:]
    private static let longestUnindexed = 8

    var count: Int { keys.count }

    mutating func set(_ key: ValueIndex, _ identity: DictionaryKey, to value: ValueIndex) {
        if let position = position(of: identity) {
            values[position] = value
            return
        }
        keys.append(key)
        values.append(value)
        identities.append(identity)
        if identities.count == Self.longestUnindexed + 1 {
            for (position, identity) in identities.enumerated() { positions[identity] = position }
        } else if identities.count > Self.longestUnindexed {
            positions[identity] = identities.count - 1
        }
    }

    func position(of identity: DictionaryKey) -> Int? {
        identities.count > Self.longestUnindexed ? positions[identity] : identities.firstIndex(of: identity)
    }
}

/// What tells keys apart. Comparing it takes the same time for every key, however long its text.
enum DictionaryKey: Hashable, Sendable {
    case text(TextIndex)
    /// Truth values are integers, as in Python.
    case integer(Int64)
    /// Numbers with a fraction, tuples and objects: told apart by which value they are.
    case other(ValueIndex)

    init(_ index: ValueIndex, in table: ValueTable) {
        self =
            switch table[index] {
            case .text(let text): .text(text)
            case .integer(let value): .integer(value)
            case .boolean(let value): .integer(value ? 1 : 0)
            default: .other(index)
            }
    }
}
