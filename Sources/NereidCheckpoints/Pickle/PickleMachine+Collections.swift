// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension PickleMachine {
    mutating func performCollection(_ opcode: PickleOpcode) throws(CheckpointError) {
        switch opcode {
        case .emptyTuple: try push(tuple([]))
        case .tuple1, .tuple2, .tuple3:
            let count = opcode == .tuple1 ? 1 : opcode == .tuple2 ? 2 : 3
            var elements: [ValueIndex] = []
            for _ in 0..<count { elements.append(try pop()) }
            try push(tuple(elements.reversed()[...]))
        case .tuple: try push(tuple(popToMark()))
        case .emptyList: try push(list([]))
        case .list: try push(list(popToMark()))
        case .append:
            let element = try pop()
            try append([element], to: top())
        case .appends:
            let elements = try popToMark()
            try append(elements, to: top())
        case .emptyDictionary: try push(dictionary())
        case .dictionary:
            let entries = try popToMark()
            let dictionary = try dictionary()
            try set(entries, in: dictionary)
            try push(dictionary)
        case .setItem:
            let value = try pop()
            let key = try pop()
            try set([key, value], in: top())
        case .setItems:
            let entries = try popToMark()
            try set(entries, in: top())
        case .emptySet: try push(set([]))
        case .frozenSet: try push(set(popToMark()))
        case .addItems:
            let elements = try popToMark()
            let target = try top()
            guard case .set(let list) = table[target] else {
                throw damaged("elements are added to \(table.kind(of: target)) as if it were a set")
            }
            try append(elements, toList: list, of: target)
        default: break
        }
    }

    mutating func tuple(_ elements: ArraySlice<ValueIndex>) throws(CheckpointError) -> ValueIndex {
        try spend(elements.count)
        let start = table.tupleElements.count
        table.tupleElements += elements
        return try add(.tuple(start: UInt32(start), count: UInt32(elements.count)), holding: elements)
    }

    mutating func list(_ elements: ArraySlice<ValueIndex>) throws(CheckpointError) -> ValueIndex {
        try spend(elements.count)
        table.lists.append(Array(elements))
        return try add(.list(UInt32(table.lists.count - 1)), holding: elements)
    }

    mutating func set(_ elements: ArraySlice<ValueIndex>) throws(CheckpointError) -> ValueIndex {
        try spend(elements.count)
        table.lists.append(Array(elements))
        return try add(.set(list: UInt32(table.lists.count - 1)), holding: elements)
    }

    mutating func dictionary() throws(CheckpointError) -> ValueIndex {
        table.dictionaries.append(DictionaryRecord())
        return try add(.dictionary(UInt32(table.dictionaries.count - 1)))
    }

    private mutating func append(
        _ elements: ArraySlice<ValueIndex>,
        to target: ValueIndex
    ) throws(CheckpointError) {
        switch table[target] {
        case .list(let list):
            try append(elements, toList: list, of: target)
        case .object(let object):
            let list: UInt32
            if let known = table.objects[Int(object)].elements {
                list = known
            } else {
                list = UInt32(table.lists.count)
                table.lists.append([])
                table.objects[Int(object)].elements = list
            }
            try append(elements, toList: list, of: target)
        default:
            throw damaged("elements are appended to \(table.kind(of: target)) as if it were a list")
        }
    }

    private mutating func append(
        _ elements: ArraySlice<ValueIndex>,
        toList list: UInt32,
        of owner: ValueIndex
    ) throws(CheckpointError) {
        try spend(elements.count)
        for element in elements { try note(owner, holds: element) }
        table.lists[Int(list)] += elements
    }

    /// Sets keys to values, which stand in turn.
    private mutating func set(_ entries: ArraySlice<ValueIndex>, in target: ValueIndex) throws(CheckpointError) {
        guard entries.count.isMultiple(of: 2) else { throw damaged("a dictionary is given a key without a value") }
        switch table[target] {
        case .dictionary(let dictionary):
            try set(entries, inDictionary: dictionary, of: target)
        case .object(let object):
            let dictionary: UInt32
            if let known = table.objects[Int(object)].entries {
                dictionary = known
            } else {
                dictionary = UInt32(table.dictionaries.count)
                table.dictionaries.append(DictionaryRecord())
                table.objects[Int(object)].entries = dictionary
            }
            try set(entries, inDictionary: dictionary, of: target)
        default:
            throw damaged("entries are set in \(table.kind(of: target)) as if it were a dictionary")
        }
    }

    mutating func set(
        _ entries: ArraySlice<ValueIndex>,
        inDictionary dictionary: UInt32,
        of owner: ValueIndex
    ) throws(CheckpointError) {
        try spend(entries.count)
        var position = entries.startIndex
        while position < entries.endIndex {
            let key = entries[position]
            let value = entries[position + 1]
            try note(owner, holds: key)
            try note(owner, holds: value)
            table.dictionaries[Int(dictionary)].set(key, DictionaryKey(key, in: table), to: value)
            position += 2
        }
    }
}
