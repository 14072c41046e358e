// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ValueTable {
    /// What a value is, in words for a message.
    func kind(of index: ValueIndex) -> String {
        switch self[index] {
        case .none: "None"
        case .boolean: "a truth value"
        case .integer, .largeInteger: "an integer"
        case .real: "a number"
        case .complex: "a complex number"
        case .text: "text"
        case .bytes, .blob: "bytes"
        case .tuple: "a tuple"
        case .list: "a list"
        case .set: "a set"
        case .dictionary: "a dictionary"
        case .name(let name): "the name \(qualifiedName(name))"
        case .object(let object): "an object of \(makerName(of: objects[Int(object)]))"
        case .storage: "a storage"
        case .tensor: "a tensor"
        }
    }

    func qualifiedName(_ index: UInt32) -> String {
        Excerpt("\(name(index).module).\(name(index).name)").description
    }

    func makerName(of object: ObjectRecord) -> String {
        switch self[object.maker] {
        case .name(let name): qualifiedName(name)
        case .object(let inner):
            switch self[objects[Int(inner)].maker] {
            case .name(let name): "what \(qualifiedName(name)) returns"
            default: "what a call returns"
            }
        default: "something that is not a class"
        }
    }

    /// The elements of a tuple; `nil` for anything else.
    func tupleElements(_ index: ValueIndex) -> ArraySlice<ValueIndex>? {
        guard case .tuple(let start, let count) = self[index] else { return nil }
        return tupleElements[Int(start)..<Int(start) + Int(count)]
    }

    /// An integer that fits into 64 bits; `nil` for anything else, truth values included.
    func integer(_ index: ValueIndex) -> Int? {
        guard case .integer(let value) = self[index] else { return nil }
        return Int(exactly: value)
    }

    func text(_ index: ValueIndex) -> String? {
        guard case .text(let text) = self[index] else { return nil }
        return self.text(text)
    }
}
