// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension PickleMachine {
    /// Makes the plain value that a known constructor stands for; `nil` when the arguments are not those that it has in
    /// honest files, so that the call stays an inert object.
    ///
    /// - Throws: ``CheckpointError/damaged(file:place:reason:)`` when a tensor contradicts itself.
    mutating func interpret(
        _ constructor: KnownConstructor,
        _ argumentsIndex: ValueIndex
    ) throws(CheckpointError) -> ValueIndex? {
        // A tuple may be used again and again: looking at it must not take longer the longer it is.
        guard let arguments = table.tupleElements(argumentsIndex), arguments.count <= Self.mostArguments else {
            return nil
        }
        let first = arguments.first
        switch constructor {
        case .rebuildTensor:
            return try rebuiltTensor(Array(arguments), typed: false)
        case .rebuildTensorWithType:
            return try rebuiltTensor(Array(arguments), typed: true)
        case .rebuildParameter:
            guard let first, case .tensor = table[first] else { return nil }
            return first
        case .rebuildWithAttributes:
            return try rebuiltWithAttributes(Array(arguments))
        case .size:
            guard let first, case .tuple = table[first] else { return nil }
            return first
        case .device:
            return try device(Array(arguments))
        case .orderedDictionary, .defaultDictionary:
            return try emptyOrPairedDictionary(constructor, Array(arguments))
        case .set:
            return try setOf(first)
        case .complex:
            guard arguments.count == 2, let real = number(arguments[arguments.startIndex]),
                let imaginary = number(arguments[arguments.startIndex + 1])
            else { return nil }
            return try add(.complex(real, imaginary))
        case .bytes:
            return try bytesOf(Array(arguments))
        case .encodedText:
            return try encodedText(Array(arguments))
        case .path:
            return try path(Array(arguments))
        case .numpyScalar:
            return try numpyScalar(Array(arguments))
        case .numpyArray:
            // The array is completed by its state.
            return nil
        case .numpyArrayFromBuffer:
            return try numpyArrayFromBuffer(Array(arguments))
        case .oldStyleInstance:
            guard arguments.count == 3, let first, case .name = table[first] else { return nil }
            return try addObject(first, tuple([]), .instance)
        }
    }

    private static let mostArguments = 64

    private func number(_ index: ValueIndex) -> Double? {
        switch table[index] {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    private mutating func device(_ arguments: [ValueIndex]) throws(CheckpointError) -> ValueIndex? {
        guard let kind = arguments.first.flatMap({ table.text($0) }), kind.utf8.count <= 64 else { return nil }
        switch arguments.count {
        case 1: return arguments[0]
        case 2:
            guard let number = table.integer(arguments[1]) else { return nil }
            return try add(.text(table.intern("\(kind):\(number)")))
        default: return nil
        }
    }

    private mutating func emptyOrPairedDictionary(
        _ constructor: KnownConstructor,
        _ arguments: [ValueIndex]
    ) throws(CheckpointError) -> ValueIndex? {
        // The first argument of a defaultdict makes missing values: nothing is missing here.
        let content = constructor == .defaultDictionary ? arguments.dropFirst() : arguments[...]
        guard let pairs = content.first else { return try dictionary() }
        guard content.count == 1, case .list(let list) = table[pairs] else { return nil }
        try spend(table.lists[Int(list)].count)
        var entries: [ValueIndex] = []
        for pair in table.lists[Int(list)] {
            let elements: [ValueIndex]
            switch table[pair] {
            case .list(let list): elements = Array(table.lists[Int(list)].prefix(3))
            case .tuple: elements = Array((table.tupleElements(pair) ?? []).prefix(3))
            default: return nil
            }
            guard elements.count == 2 else { return nil }
            entries += elements
        }
        let value = try dictionary()
        guard case .dictionary(let dictionary) = table[value] else { return nil }
        try set(entries[...], inDictionary: dictionary, of: value)
        return value
    }

    private mutating func setOf(_ source: ValueIndex?) throws(CheckpointError) -> ValueIndex? {
        guard let source else { return try set([]) }
        switch table[source] {
        case .list(let list): return try set(table.lists[Int(list)][...])
        case .set: return source
        default: return nil
        }
    }

    private mutating func bytesOf(_ arguments: [ValueIndex]) throws(CheckpointError) -> ValueIndex? {
        guard let first = arguments.first else { return try add(.bytes(ByteExtent(start: opcodeStart, count: 0))) }
        switch table[first] {
        case .bytes, .blob: return arguments.count == 1 ? first : nil
        case .text: return try encodedText(arguments)
        default: return nil
        }
    }

    /// Bytes that were written as text, one character for each: how protocol 2 carries them.
    private mutating func encodedText(_ arguments: [ValueIndex]) throws(CheckpointError) -> ValueIndex? {
        guard arguments.count == 2, let encoding = table.text(arguments[1]),
            ["latin1", "latin-1", "latin_1", "iso-8859-1"].contains(encoding),
            let text = table.text(arguments[0])
        else { return nil }
        return try add(.blob(blob(fromLatin1: text)))
    }

    mutating func blob(fromLatin1 text: String) throws(CheckpointError) -> UInt32 {
        try spendBytes(text.utf8.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else {
                throw damaged("text is given as bytes, but has a character above 255")
            }
            bytes.append(byte)
        }
        table.blobs.append(bytes)
        return UInt32(table.blobs.count - 1)
    }

    private mutating func path(_ arguments: [ValueIndex]) throws(CheckpointError) -> ValueIndex? {
        var joined = ""
        for argument in arguments {
            guard let part = table.text(argument) else { return nil }
            try spendBytes(part.utf8.count + 1)
            joined += joined.isEmpty || joined.hasSuffix("/") ? part : "/" + part
        }
        return try add(.text(table.intern(joined)))
    }
}
