// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension PickleMachine {
    /// Makes the value of an opcode that stands for itself.
    mutating func scalar(_ opcode: PickleOpcode) throws(CheckpointError) -> ValueIndex {
        switch opcode {
        case .newTrue: .boolean(true)
        case .newFalse: .boolean(false)
        case .binaryInteger: try add(.integer(Int64(cursor.integer(Int32.self))))
        case .binaryInteger1: try add(.integer(Int64(cursor.byte())))
        case .binaryInteger2: try add(.integer(Int64(cursor.integer(UInt16.self))))
        case .long1: try long(cursor.length(UInt8.self))
        case .long4: try long(cursor.length(Int32.self))
        case .binaryFloat: try add(.real(Double(bitPattern: UInt64(bigEndian: cursor.integer(UInt64.self)))))
        case .shortBinaryUnicode: try text(cursor.length(UInt8.self))
        case .binaryUnicode: try text(cursor.length(UInt32.self))
        case .binaryUnicode8: try text(cursor.length(UInt64.self))
        case .shortBinaryString: try oldString(cursor.length(UInt8.self))
        case .binaryString: try oldString(cursor.length(Int32.self))
        case .shortBinaryBytes: try add(.bytes(cursor.take(cursor.length(UInt8.self))))
        case .binaryBytes: try add(.bytes(cursor.take(cursor.length(UInt32.self))))
        case .binaryBytes8, .byteArray8: try add(.bytes(cursor.take(cursor.length(UInt64.self))))
        default: .none
        }
    }

    /// Reads UTF-8 from the file.
    mutating func text(at extent: ByteExtent) throws(CheckpointError) -> TextIndex {
        guard let text = cursor.bytes.text(in: extent) else { throw damaged("a text is not UTF-8") }
        let known = table.texts.count
        let index = table.intern(text)
        if table.texts.count > known { try spend(Self.costOfNewText) }
        return index
    }

    /// A text takes as much memory as several other values, but is kept once.
    private static let costOfNewText = 8

    private mutating func text(_ length: Int) throws(CheckpointError) -> ValueIndex {
        try add(.text(text(at: cursor.take(length))))
    }

    /// A string of Python 2, which may be a name or the raw data of an array: ASCII is taken for text.
    private mutating func oldString(_ length: Int) throws(CheckpointError) -> ValueIndex {
        let extent = try cursor.take(length)
        let isText = try cursor.bytes.withBytes(in: extent) { bytes throws(CheckpointError) in
            bytes.allSatisfy { $0 < 0x80 }
        }
        return isText ? try add(.text(text(at: extent))) : try add(.bytes(extent))
    }

    private mutating func long(_ length: Int) throws(CheckpointError) -> ValueIndex {
        let extent = try cursor.take(length)
        guard length <= 8 else { return try add(.largeInteger(extent)) }
        var value: UInt64 = 0
        for offset in 0..<length { value |= UInt64(cursor.bytes[extent.start + offset]) << (8 * offset) }
        // The highest bit that is stored is the sign of all those above it.
        let unused = 64 - 8 * length
        return try add(.integer(unused == 64 ? 0 : Int64(bitPattern: value << unused) >> unused))
    }
}
