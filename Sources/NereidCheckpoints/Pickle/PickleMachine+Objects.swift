// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension PickleMachine {
    mutating func performObject(_ opcode: PickleOpcode) throws(CheckpointError) {
        switch opcode {
        case .global:
            try push(nameFromLines())
        case .stackGlobal:
            let name = try pop()
            let module = try pop()
            guard case .text(let nameText) = table[name], case .text(let moduleText) = table[module] else {
                throw damaged("a class is named by something else than text")
            }
            try push(add(.name(table.intern(module: moduleText, name: nameText))))
        case .reduce:
            let arguments = try pop()
            let maker = try pop()
            try push(make(maker, arguments, .call))
        case .newObject:
            let arguments = try pop()
            let maker = try pop()
            try push(make(maker, arguments, .instance))
        case .newObjectKeywords:
            let keywords = try pop()
            let arguments = try pop()
            let maker = try pop()
            try push(make(maker, arguments, .instance, keywords))
        case .instance:
            let maker = try nameFromLines()
            let arguments = try tuple(popToMark())
            try push(make(maker, arguments, .call))
        case .object:
            let values = try popToMark()
            guard let maker = values.first else { throw damaged("an object is made without naming its class") }
            let arguments = try tuple(values.dropFirst())
            try push(make(maker, arguments, .call))
        case .build:
            let state = try pop()
            try build(top(), state)
        case .binaryPersistentID:
            let identity = try pop()
            try push(persistent(identity))
        default: break
        }
    }

    private mutating func nameFromLines() throws(CheckpointError) -> ValueIndex {
        let module = try text(at: cursor.line())
        let name = try text(at: cursor.line())
        return try add(.name(table.intern(module: module, name: name)))
    }

    /// Makes the value of a constructor that is understood, else an object that says what the pickle wanted.
    private mutating func make(
        _ maker: ValueIndex,
        _ arguments: ValueIndex,
        _ origin: ObjectRecord.Origin,
        _ keywords: ValueIndex? = nil
    ) throws(CheckpointError) -> ValueIndex {
        guard case .tuple = table[arguments] else {
            throw damaged("\(table.kind(of: arguments)) is given in place of a tuple of arguments")
        }
        if keywords == nil, case .name(let name) = table[maker], let constructor = table.name(name).constructor,
            let value = try interpret(constructor, arguments)
        {
            return value
        }
        return try addObject(maker, arguments, origin, keywords)
    }

    mutating func addObject(
        _ maker: ValueIndex,
        _ arguments: ValueIndex,
        _ origin: ObjectRecord.Origin,
        _ keywords: ValueIndex? = nil
    ) throws(CheckpointError) -> ValueIndex {
        table.objects.append(
            ObjectRecord(maker: maker, arguments: arguments, keywordArguments: keywords, origin: origin)
        )
        return try add(
            .object(UInt32(table.objects.count - 1)),
            holding: [maker, arguments, keywords ?? .none]
        )
    }

    private mutating func build(_ target: ValueIndex, _ state: ValueIndex) throws(CheckpointError) {
        switch table[target] {
        case .object(let object):
            table.objects[Int(object)].state = state
            try note(target, holds: state)
            try completeArray(target)
        case .dictionary(let dictionary):
            table.dictionaries[Int(dictionary)].state = state
            try note(target, holds: state)
        case .tensor:
            // Attributes that somebody hung on a tensor.
            break
        default:
            throw damaged("state is given to \(table.kind(of: target)), which has none")
        }
    }
}
