// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension PickleMachine {
    /// Makes the storage that a persistent id names: `("storage", class, key, device, element count)`, and for old files
    /// a view `(key, offset, element count)` of another one. `("module", class, file, source)` names a class beside its
    /// source text, which nobody needs.
    mutating func persistent(_ identity: ValueIndex) throws(CheckpointError) -> ValueIndex {
        guard let parts = shortTuple(identity), let kind = parts.first.flatMap({ table.text($0) }) else {
            throw damaged("something else than a tensor's storage is kept outside of the pickle")
        }
        if kind == "module", parts.count == 4, case .name = table[parts[1]] { return parts[1] }
        guard kind == "storage", parts.count == 5 || parts.count == 6, case .name(let name) = table[parts[1]],
            case .text(let key) = table[parts[2]], let count = table.integer(parts[4]), count >= 0
        else {
            throw damaged("\(Excerpt(kind)) is kept outside of the pickle, but not as a tensor's storage is named")
        }
        let record = table.name(name)
        guard let storageClass = StorageClass(module: record.module, name: record.name) else {
            throw unsupported("a storage of the class \(table.qualifiedName(name)) is not known")
        }
        var storage = StorageRecord(
            location: .key(key),
            elementType: storageClass.elementType,
            byteCount: try byteCount(count, storageClass.elementSize),
            mention: .init(position: opcodeStart)
        )
        if parts.count == 6, parts[5] != .none {
            guard let view = shortTuple(parts[5]), view.count == 3,
                let offset = table.integer(view[1]), let length = table.integer(view[2]), offset >= 0, length >= 0,
                offset <= count, length <= count - offset
            else { throw damaged("a view of a storage goes beyond it") }
            storage = StorageRecord(
                location: .key(key),
                elementType: storageClass.elementType,
                byteCount: length * storageClass.elementSize,
                byteOffset: offset * storageClass.elementSize,
                mention: storage.mention
            )
        }
        return try add(.storage(table.intern(storage)))
    }

    private func byteCount(_ count: Int, _ size: Int) throws(CheckpointError) -> Int {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { throw damaged("a storage of \(count) elements does not fit into memory") }
        return bytes
    }

    /// `_rebuild_tensor(storage, offset, size, stride)`, and more arguments in later versions; version 3 names the type
    /// of the elements as its seventh.
    mutating func rebuiltTensor(_ arguments: [ValueIndex], typed: Bool) throws(CheckpointError) -> ValueIndex {
        guard arguments.count >= (typed ? 7 : 4), case .storage(let storage) = table[arguments[0]],
            let offset = table.integer(arguments[1])
        else { throw damaged("a tensor is not made of storage, offset, size and strides") }
        var elementType = table.storages[Int(storage)].elementType ?? .uint8
        if typed {
            guard case .name(let name) = table[arguments[6]] else {
                throw damaged("a tensor's type of element is \(table.kind(of: arguments[6]))")
            }
            let record = table.name(name)
            guard record.module == "torch", let known = TensorReference.ElementType(torchName: record.name) else {
                throw unsupported("a tensor has elements of \(table.qualifiedName(name))")
            }
            elementType = known
        }
        let shape = try integers(arguments[2], "size")
        let strides = try integers(arguments[3], "strides")
        return try tensor(storage, elementType, offset: offset, shape: shape, strides: strides)
    }

    /// `_rebuild_from_type_v2(function, class, arguments, attributes)`: a tensor with attributes of its own.
    mutating func rebuiltWithAttributes(_ arguments: [ValueIndex]) throws(CheckpointError) -> ValueIndex? {
        guard arguments.count == 4, case .name(let name) = table[arguments[0]], let inner = shortTuple(arguments[2])
        else { return nil }
        switch table.name(name).constructor {
        case .rebuildTensor: return try rebuiltTensor(inner, typed: false)
        case .rebuildTensorWithType: return try rebuiltTensor(inner, typed: true)
        case .rebuildParameter:
            guard let first = inner.first, case .tensor = table[first] else { return nil }
            return first
        default: return nil
        }
    }

    /// The elements of a tuple that is no longer than those in which torch and NumPy describe something.
    func shortTuple(_ index: ValueIndex) -> [ValueIndex]? {
        guard let elements = table.tupleElements(index), elements.count <= 16 else { return nil }
        return Array(elements)
    }

    private func integers(_ index: ValueIndex, _ what: String) throws(CheckpointError) -> [Int] {
        let elements: ArraySlice<ValueIndex>
        switch table[index] {
        case .tuple: elements = table.tupleElements(index) ?? []
        case .list(let list): elements = table.lists[Int(list)][...]
        default: throw damaged("a tensor's \(what) is \(table.kind(of: index)) in place of a tuple")
        }
        guard elements.count <= limits.dimensions else { throw exceeded("dimensions in a tensor", limits.dimensions) }
        var values: [Int] = []
        for element in elements {
            guard let value = table.integer(element) else {
                throw damaged("a tensor's \(what) holds \(table.kind(of: element)) in place of an integer")
            }
            values.append(value)
        }
        return values
    }

    /// Makes a tensor after checking that each of its elements lies in its storage.
    mutating func tensor(
        _ storage: UInt32,
        _ elementType: TensorReference.ElementType,
        offset: Int,
        shape: [Int],
        strides: [Int]
    ) throws(CheckpointError) -> ValueIndex {
        let capacity = table.storages[Int(storage)].byteCount / elementType.byteCount
        let extent: TensorExtent
        do {
            extent = try TensorExtent(offset: offset, shape: shape, strides: strides, capacity: capacity)
        } catch {
            throw damaged("\(error)")
        }
        try spend(2 * shape.count)
        table.tensors.append(
            TensorRecord(
                storage: storage,
                elementType: elementType,
                offset: offset,
                shape: shape,
                strides: strides,
                count: extent.count
            )
        )
        return try add(.tensor(UInt32(table.tensors.count - 1)))
    }
}

/// The classes of storages: `torch.HalfStorage`, `torch.cuda.FloatStorage`, `torch.storage.UntypedStorage`, ….
struct StorageClass {
    /// `nil` for plain bytes.
    let elementType: TensorReference.ElementType?

    var elementSize: Int { elementType?.byteCount ?? 1 }

    init?(module: String, name: String) {
        guard ["torch", "torch.cuda", "torch.storage"].contains(module) else { return nil }
        if name == "UntypedStorage" || name == "_UntypedStorage" {
            elementType = nil
            return
        }
        guard module != "torch.storage", let known = Self.classes[name] else { return nil }
        elementType = known
    }

    private static let classes: [String: TensorReference.ElementType] = [
        "HalfStorage": .float16, "BFloat16Storage": .bfloat16, "FloatStorage": .float32, "DoubleStorage": .float64,
        "ByteStorage": .uint8, "CharStorage": .int8, "ShortStorage": .int16, "IntStorage": .int32,
        "LongStorage": .int64, "BoolStorage": .boolean,
        "ComplexFloatStorage": .complex64, "ComplexDoubleStorage": .complex128,
    ]
}
