// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension TensorReference {
    /// Reads the elements as float32, the last dimension varying fastest, whatever the strides are.
    ///
    /// Float64 and integers are rounded to the nearest float32; truth values become 0 and 1.
    ///
    /// - Throws: ``CheckpointError/tensorUnreadable(file:tensor:reason:)`` for complex numbers, and for a view that
    ///   repeats its storage more often than ``CheckpointLimits/repeatedElements`` allows.
    public func floats() throws(CheckpointError) -> [Float] {
        switch elementType {
        case .float16: try gather(UInt16.self) { Float(Float16(bitPattern: $0)) }
        case .bfloat16: try gather(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        case .float32: try gather(UInt32.self) { Float(bitPattern: $0) }
        case .float64: try gather(UInt64.self) { Float(Double(bitPattern: $0)) }
        case .uint8: try gather(UInt8.self) { Float($0) }
        case .uint16: try gather(UInt16.self) { Float($0) }
        case .uint32: try gather(UInt32.self) { Float($0) }
        case .uint64: try gather(UInt64.self) { Float($0) }
        case .int8: try gather(Int8.self) { Float($0) }
        case .int16: try gather(Int16.self) { Float($0) }
        case .int32: try gather(Int32.self) { Float($0) }
        case .int64: try gather(Int64.self) { Float($0) }
        case .boolean: try gather(UInt8.self) { $0 == 0 ? 0 : 1 }
        case .complex64, .complex128: throw unreadable("complex numbers have no place in a network that is served")
        }
    }

    /// Reads the elements as float64, the last dimension varying fastest, whatever the strides are.
    ///
    /// - Throws: As ``floats()``.
    public func doubles() throws(CheckpointError) -> [Double] {
        switch elementType {
        case .float64: try gather(UInt64.self) { Double(bitPattern: $0) }
        case .uint32: try gather(UInt32.self) { Double($0) }
        case .uint64: try gather(UInt64.self) { Double($0) }
        case .int32: try gather(Int32.self) { Double($0) }
        case .int64: try gather(Int64.self) { Double($0) }
        default: try floats().map(Double.init)
        }
    }

    /// Reads integers and truth values, the last dimension varying fastest, whatever the strides are.
    ///
    /// - Throws: ``CheckpointError/tensorUnreadable(file:tensor:reason:)`` when the tensor does not hold integers or
    ///   holds one above the largest `Int64`; else as ``floats()``.
    public func integers() throws(CheckpointError) -> [Int64] {
        switch elementType {
        case .uint8: return try gather(UInt8.self) { Int64($0) }
        case .uint16: return try gather(UInt16.self) { Int64($0) }
        case .uint32: return try gather(UInt32.self) { Int64($0) }
        case .int8: return try gather(Int8.self) { Int64($0) }
        case .int16: return try gather(Int16.self) { Int64($0) }
        case .int32: return try gather(Int32.self) { Int64($0) }
        case .int64: return try gather(Int64.self) { $0 }
        case .boolean: return try gather(UInt8.self) { $0 == 0 ? 0 : 1 }
        case .uint64:
            let values = try gather(UInt64.self) { Int64(bitPattern: $0) }
            guard values.allSatisfy({ $0 >= 0 }) else { throw unreadable("an integer is above the largest Int64") }
            return values
        case .float16, .bfloat16, .float32, .float64, .complex64, .complex128:
            throw unreadable("its elements are not integers")
        }
    }

    /// Reads the elements where they stand in the file, as little-endian bytes without a copy.
    ///
    /// - Returns: What `body` returns; `nil` when the tensor is not contiguous, so that it has to be read out.
    public func withContiguousBytes<Result>(
        _ body: (RawSpan) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result? {
        guard isContiguous else { return nil }
        let start = count == 0 ? 0 : offset * elementType.byteCount
        let length = count * elementType.byteCount
        return try withStorage { storage throws(CheckpointError) in
            try body(UnsafeRawBufferPointer(rebasing: storage[start..<start + length]).bytes)
        }
    }

    /// Copies the elements as they are, little-endian, the last dimension varying fastest, whatever the strides are.
    ///
    /// - Throws: As ``floats()``, but complex numbers are copied too.
    public func bytes() throws(CheckpointError) -> [UInt8] {
        if let copy = try withContiguousBytes({ span throws(CheckpointError) in span.withUnsafeBytes { Array($0) } }) {
            return copy
        }
        return switch elementType.byteCount {
        case 1: try gather(UInt8.self) { $0 }
        case 2: raw(try gather(UInt16.self) { $0.littleEndian })
        case 4: raw(try gather(UInt32.self) { $0.littleEndian })
        case 8: raw(try gather(UInt64.self) { $0.littleEndian })
        default: raw(try gather(UInt128.self) { $0.littleEndian })
        }
    }

    private func raw<Element: BitwiseCopyable>(_ elements: [Element]) -> [UInt8] {
        elements.withUnsafeBytes { Array($0) }
    }

    /// Reads each element, the last dimension varying fastest.
    private func gather<Stored: FixedWidthInteger, Element>(
        _ type: Stored.Type,
        _ convert: (Stored) -> Element
    ) throws(CheckpointError) -> [Element] {
        try checkRepetition()
        guard count > 0 else { return [] }
        return try withStorage { storage throws(CheckpointError) in
            [Element](unsafeUninitializedCapacity: count) { target, filled in
                var written = 0
                forEachRow { start, length, stride in
                    var position = start
                    for _ in 0..<length {
                        // Each element was found to lie in the storage when the checkpoint was opened.
                        let stored = storage.loadUnaligned(
                            fromByteOffset: position &* MemoryLayout<Stored>.size,
                            as: type
                        )
                        (target.baseAddress.unsafelyUnwrapped + written).initialize(
                            to: convert(Stored(littleEndian: stored))
                        )
                        written &+= 1
                        position &+= stride
                    }
                }
                filled = written
            }
        }
    }

    /// Gives the rows one after another: where each starts in the storage, its length, and its stride.
    private func forEachRow(_ body: (_ start: Int, _ length: Int, _ stride: Int) -> Void) {
        if isContiguous {
            body(offset, count, 1)
            return
        }
        let outer = shape.count - 1
        var position = [Int](repeating: 0, count: outer)
        var start = offset
        while true {
            body(start, shape[outer], strides[outer])
            var dimension = outer - 1
            while dimension >= 0 {
                // One step too far may overflow, since the stride of a dimension of length 1 may be anything;
                // the steps back undo it.
                position[dimension] += 1
                start &+= strides[dimension]
                if position[dimension] < shape[dimension] { break }
                start &-= strides[dimension] &* shape[dimension]
                position[dimension] = 0
                dimension -= 1
            }
            if dimension < 0 { return }
        }
    }

    private func checkRepetition() throws(CheckpointError) {
        let stored = storageByteCount / elementType.byteCount
        guard count - stored <= checkpoint.limits.repeatedElements else {
            throw unreadable("it repeats \(stored) stored elements until they are \(count)")
        }
    }

    private func withStorage<Result>(
        _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        switch checkpoint.table.storages[Int(record.storage)].location {
        case .file(let extent):
            return try checkpoint.bytes.withBytes(in: extent, body)
        case .blob(let blob):
            return try checkpoint.table.blobs[Int(blob)].withUnsafeBufferPointer { buffer throws(CheckpointError) in
                try body(UnsafeRawBufferPointer(buffer))
            }
        case .key:
            throw unreadable("its storage was not found")
        }
    }

    private func unreadable(_ reason: String) -> CheckpointError {
        .tensorUnreadable(file: checkpoint.file, tensor: description, reason: reason)
    }
}
