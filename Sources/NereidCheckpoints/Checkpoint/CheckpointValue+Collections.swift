// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension CheckpointValue {
    /// The elements of a list, tuple or set, in order.
    public struct Elements: RandomAccessCollection, Sendable {
        let checkpoint: Checkpoint
        let numbers: ArraySlice<ValueIndex>

        /// 0.
        public var startIndex: Int { 0 }
        /// How many elements there are.
        public var endIndex: Int { numbers.count }

        /// The element at a position, counted from 0.
        public subscript(position: Int) -> CheckpointValue {
            CheckpointValue(checkpoint, numbers[numbers.startIndex + position])
        }
    }

    /// The entries of a dictionary, in the order in which their keys were first set.
    public struct Entries: RandomAccessCollection, Sendable {
        let checkpoint: Checkpoint
        let record: DictionaryRecord

        /// 0.
        public var startIndex: Int { 0 }
        /// How many entries there are.
        public var endIndex: Int { record.count }

        /// The entry at a position, counted from 0.
        public subscript(position: Int) -> (key: CheckpointValue, value: CheckpointValue) {
            (CheckpointValue(checkpoint, record.keys[position]), CheckpointValue(checkpoint, record.values[position]))
        }
    }

    /// The elements of a list, tuple or set; `nil` for anything else.
    public var elements: Elements? {
        switch node {
        case .tuple:
            checkpoint.table.tupleElements(index).map { Elements(checkpoint: checkpoint, numbers: $0) }
        case .list(let list), .set(let list):
            Elements(checkpoint: checkpoint, numbers: checkpoint.table.lists[Int(list)][...])
        default: nil
        }
    }

    /// The entries of a dictionary; `nil` for anything else.
    public var entries: Entries? {
        dictionary.map { Entries(checkpoint: checkpoint, record: $0) }
    }

    /// The value that a dictionary has for a text; `nil` when it has none, and for anything but a dictionary.
    public subscript(key: String) -> CheckpointValue? {
        checkpoint.table.textIndex(of: key).flatMap { value(of: .text($0)) }
    }

    /// The value that a dictionary has for an integer, or the element of a list, tuple or set at a position counted
    /// from 0; `nil` when there is none, and for anything else.
    public subscript(key: Int) -> CheckpointValue? {
        guard let elements else { return value(of: .integer(Int64(key))) }
        return elements.indices.contains(key) ? elements[key] : nil
    }

    /// The attribute of an object, or of a dictionary that has attributes of its own, by its name.
    ///
    /// Attributes are found in what the class would set them from: a dictionary, or a pair of dictionaries of which the
    /// second is for slots.
    public func attribute(_ name: String) -> CheckpointValue? {
        guard let state else { return nil }
        if let value = state[name] { return value }
        guard case .tuple = state.node, let parts = state.elements, parts.count == 2 else { return nil }
        return parts[0][name] ?? parts[1][name]
    }

    /// The elements of a list or tuple that holds integers and nothing else.
    public var integers: [Int]? { all(\.integer) }

    /// The elements of a list or tuple that holds numbers and nothing else.
    public var doubles: [Double]? { all(\.double) }

    /// The elements of a list or tuple that holds texts and nothing else.
    public var texts: [String]? { all(\.text) }

    private func all<Value>(_ read: (CheckpointValue) -> Value?) -> [Value]? {
        guard let elements else { return nil }
        var values: [Value] = []
        values.reserveCapacity(elements.count)
        for element in elements {
            guard let value = read(element) else { return nil }
            values.append(value)
        }
        return values
    }

    private var dictionary: DictionaryRecord? {
        guard case .dictionary(let dictionary) = node else { return nil }
        return checkpoint.table.dictionaries[Int(dictionary)]
    }

    private func value(of key: DictionaryKey) -> CheckpointValue? {
        guard let dictionary, let position = dictionary.position(of: key) else { return nil }
        return CheckpointValue(checkpoint, dictionary.values[position])
    }

    /// What a class would restore the value from.
    var state: CheckpointValue? {
        switch node {
        case .object(let object): checkpoint.table.objects[Int(object)].state.map { .init(checkpoint, $0) }
        case .dictionary: dictionary?.state.map { .init(checkpoint, $0) }
        default: nil
        }
    }
}
