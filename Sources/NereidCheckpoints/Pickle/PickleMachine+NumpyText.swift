// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// NumPy's strings: `U`, four bytes to a character, and `S`, bytes; both are filled up with zeros to the length of the type.
extension PickleMachine {
    /// A type of strings.
    struct NumpyTextType {
        /// Characters, not bytes.
        let isText: Bool
        let byteCount: Int
        let isBigEndian: Bool
    }

    /// Reads the dtype of strings, such as `U8` or `S5`; `nil` for other types.
    func textType(_ index: ValueIndex) -> NumpyTextType? {
        guard let (code, order) = typeCode(index), let kind = code.first, kind == "U" || kind == "S",
            let length = Int(code.dropFirst()), length > 0
        else { return nil }
        return NumpyTextType(
            isText: kind == "U",
            byteCount: kind == "U" ? 4 * length : length,
            isBigEndian: order == ">"
        )
    }

    /// The elements of an array of strings or of objects in one dimension as a list; `nil` for arrays of anything else.
    mutating func list(_ data: ValueIndex, _ dtype: ValueIndex, shape: [Int]) throws(CheckpointError) -> ValueIndex? {
        guard shape.count == 1 else { return nil }
        if let type = textType(dtype) {
            let elements = try texts(data, type)
            return elements.count == shape[0] ? try list(elements[...]) : nil
        }
        guard typeCode(dtype)?.code.first == "O", case .list(let list) = table[data],
            table.lists[Int(list)].count == shape[0]
        else { return nil }
        return data
    }

    /// The strings that bytes hold; none when the bytes are no whole number of them, or not text.
    mutating func texts(_ data: ValueIndex, _ type: NumpyTextType) throws(CheckpointError) -> [ValueIndex] {
        guard let storage = try arrayData(data), storage.byteCount.isMultiple(of: type.byteCount) else { return [] }
        try spendBytes(storage.byteCount)
        let raw: [UInt8]
        switch storage.location {
        case .file(let extent): raw = (0..<extent.count).map { cursor.bytes[extent.start + $0] }
        case .blob(let blob): raw = table.blobs[Int(blob)]
        case .key: return []
        }
        var elements: [ValueIndex] = []
        for start in stride(from: 0, to: raw.count, by: type.byteCount) {
            let bytes = raw[start..<start + type.byteCount]
            if type.isText {
                guard let text = Self.text(bytes, isBigEndian: type.isBigEndian) else { return [] }
                elements.append(try add(.text(table.intern(text))))
            } else {
                let filled = bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? start
                table.blobs.append(Array(bytes[..<filled]))
                elements.append(try add(.blob(UInt32(table.blobs.count - 1))))
            }
        }
        return elements
    }

    private static func text(_ bytes: ArraySlice<UInt8>, isBigEndian: Bool) -> String? {
        var scalars = String.UnicodeScalarView()
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: 4) {
            let value = (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[start + (isBigEndian ? $1 : 3 - $1)]) }
            guard let scalar = Unicode.Scalar(value) else { return nil }
            scalars.append(scalar)
        }
        while scalars.last == "\0" { scalars.removeLast() }
        return String(scalars)
    }
}
