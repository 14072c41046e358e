// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// NumPy's scalars and arrays (`numpy.core.multiarray`, since NumPy 2 `numpy._core.multiarray`).
///
/// Strings and arrays of strings become text and lists, for they may be the names of classes; types that are neither these nor
/// numbers leave the value an inert object: what is in it may not matter to anybody.
extension PickleMachine {
    /// `scalar(dtype, bytes)`.
    mutating func numpyScalar(_ arguments: [ValueIndex]) throws(CheckpointError) -> ValueIndex? {
        guard arguments.count == 2 else { return nil }
        if let type = textType(arguments[0]) {
            let elements = try texts(arguments[1], type)
            return elements.count == 1 ? elements[0] : nil
        }
        guard let type = arrayType(arguments[0]) else { return nil }
        guard let storage = try arrayData(arguments[1]), storage.byteCount == type.elementType.byteCount else {
            return nil
        }
        let raw: [UInt8]
        switch storage.location {
        case .file(let extent): raw = (0..<extent.count).map { cursor.bytes[extent.start + $0] }
        case .blob(let blob): raw = table.blobs[Int(blob)]
        case .key: return nil
        }
        var bits: UInt64 = 0
        guard raw.count <= 8 else { return nil }
        for (position, byte) in raw.enumerated() {
            let place = type.isBigEndian ? raw.count - 1 - position : position
            bits |= UInt64(byte) << (8 * place)
        }
        return switch type.elementType {
        case .boolean: .boolean(bits != 0)
        case .float16: try add(.real(Double(Float16(bitPattern: UInt16(truncatingIfNeeded: bits)))))
        case .bfloat16, .complex64, .complex128: nil
        case .float32: try add(.real(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))))
        case .float64: try add(.real(Double(bitPattern: bits)))
        case .uint8, .uint16, .uint32: try add(.integer(Int64(bits)))
        case .uint64: try Int64(exactly: bits).map { value throws(CheckpointError) in try add(.integer(value)) }
        case .int8: try add(.integer(Int64(Int8(truncatingIfNeeded: bits))))
        case .int16: try add(.integer(Int64(Int16(truncatingIfNeeded: bits))))
        case .int32: try add(.integer(Int64(Int32(truncatingIfNeeded: bits))))
        case .int64: try add(.integer(Int64(bitPattern: bits)))
        }
    }

    /// Turns an array that `_reconstruct` made into a tensor, once its state has come:
    /// `(version, shape, dtype, is in Fortran's order, data)`.
    mutating func completeArray(_ index: ValueIndex) throws(CheckpointError) {
        guard case .object(let object) = table[index], case .name(let name) = table[table.objects[Int(object)].maker],
            table.name(name).constructor == .numpyArray,
            let state = table.objects[Int(object)].state, let parts = shortTuple(state),
            parts.count == 5, let shape = arrayShape(parts[1]), case .boolean(let isFortran) = table[parts[3]]
        else { return }
        if let list = try list(parts[4], parts[2], shape: shape) {
            table[index] = table[list]
        } else if let tensor = try array(parts[4], parts[2], shape: shape, isFortran: isFortran) {
            table[index] = table[tensor]
        }
    }

    /// `_frombuffer(data, dtype, shape, order)`, of protocol 5.
    mutating func numpyArrayFromBuffer(_ arguments: [ValueIndex]) throws(CheckpointError) -> ValueIndex? {
        guard arguments.count == 4, let shape = arrayShape(arguments[2]) else { return nil }
        if let list = try list(arguments[0], arguments[1], shape: shape) { return list }
        return try array(arguments[0], arguments[1], shape: shape, isFortran: table.text(arguments[3]) == "F")
    }

    private mutating func array(
        _ data: ValueIndex,
        _ dtype: ValueIndex,
        shape: [Int],
        isFortran: Bool
    ) throws(CheckpointError) -> ValueIndex? {
        guard let type = arrayType(dtype), let storage = try arrayData(data) else { return nil }
        guard !type.isBigEndian || type.elementType.byteCount == 1 else {
            throw unsupported("an array of numbers in big-endian order")
        }
        var strides = [Int](repeating: 0, count: shape.count)
        var product = 1
        for position in isFortran ? Array(shape.indices) : shape.indices.reversed() {
            strides[position] = product
            let (next, overflow) = product.multipliedReportingOverflow(by: max(shape[position], 1))
            guard !overflow else { throw damaged("an array of the shape \(shape) does not fit into memory") }
            product = next
        }
        let (byteCount, overflow) = product.multipliedReportingOverflow(by: type.elementType.byteCount)
        guard shape.allSatisfy({ $0 >= 0 }), !overflow,
            storage.byteCount == (shape.contains(0) ? 0 : byteCount)
        else {
            throw damaged("an array of the shape \(shape) is given \(storage.byteCount) bytes")
        }
        return try tensor(
            table.intern(storage),
            type.elementType,
            offset: 0,
            shape: shape,
            strides: strides
        )
    }

    func arrayShape(_ index: ValueIndex) -> [Int]? {
        guard let elements = table.tupleElements(index), elements.count <= limits.dimensions else { return nil }
        let values = elements.compactMap { table.integer($0) }
        return values.count == elements.count ? values : nil
    }

    mutating func arrayData(_ index: ValueIndex) throws(CheckpointError) -> StorageRecord? {
        let mention = StorageRecord.Mention(position: opcodeStart)
        switch table[index] {
        case .bytes(let extent):
            return StorageRecord(
                location: .file(extent),
                elementType: nil,
                byteCount: extent.count,
                mention: mention
            )
        case .blob(let blob):
            let count = table.blobs[Int(blob)].count
            return StorageRecord(location: .blob(blob), elementType: nil, byteCount: count, mention: mention)
        case .text(let text):
            // Data of Python 2 that happens to be ASCII.
            let blob = try blob(fromLatin1: table.text(text))
            let count = table.blobs[Int(blob)].count
            return StorageRecord(location: .blob(blob), elementType: nil, byteCount: count, mention: mention)
        default:
            return nil
        }
    }

    /// Reads `dtype("f4", …)` and its state `(version, byte order, …)`; `nil` for types that are not numbers.
    private func arrayType(_ index: ValueIndex) -> (elementType: TensorReference.ElementType, isBigEndian: Bool)? {
        guard let (code, order) = typeCode(index), let elementType = TensorReference.ElementType(arrayCode: code) else {
            return nil
        }
        return (elementType, order == ">")
    }

    /// The code of a dtype, such as `f4`, and its byte order.
    func typeCode(_ index: ValueIndex) -> (code: String, order: String)? {
        guard case .object(let object) = table[index] else { return nil }
        let record = table.objects[Int(object)]
        guard case .name(let name) = table[record.maker], table.name(name).module == "numpy",
            table.name(name).name == "dtype",
            var code = table.tupleElements(record.arguments)?.first.flatMap({ table.text($0) }), code.utf8.count < 8
        else { return nil }
        var order = ""
        if let mark = code.first, "<>|=".contains(mark) {
            order = String(mark)
            code.removeFirst()
        }
        if let state = record.state, let parts = table.tupleElements(state), parts.count >= 2,
            let mark = table.text(parts[parts.startIndex + 1])
        {
            order = mark
        }
        return (code, order)
    }
}
