// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Walks over the fields of one message of protobuf, without reading what they hold.
///
/// A model of two gigabytes is told in milliseconds, since weights are leapt over. Source: Protocol Buffers, Encoding.
struct ProtobufCursor {
    /// What a field holds.
    enum Value {
        case number(UInt64)
        /// Text, bytes or a message.
        case bytes(ByteExtent)
        /// 32 or 64 bits that are not looked at.
        case fixed
    }

    /// A field: its number in the message, and what it holds.
    struct Field {
        let number: Int
        let value: Value
    }

    /// Why a message can't be walked over.
    enum Failure: Error, Equatable {
        /// A field goes on beyond the message's end.
        case cutShort(needed: Int)
        /// The bytes are no message.
        case malformed
    }

    private let bytes: CheckpointBytes
    private let end: Int
    private var position: Int

    /// - Parameter extent: the message; it lies within the bytes.
    init(_ bytes: CheckpointBytes, in extent: ByteExtent) {
        precondition(extent.start >= 0 && extent.count >= 0 && extent.end <= bytes.count)
        self.bytes = bytes
        position = extent.start
        end = extent.end
    }

    /// The next field; `nil` at the message's end.
    mutating func next() throws(Failure) -> Field? {
        guard position < end else { return nil }
        let tag = try varint()
        guard let number = Int(exactly: tag >> 3), (1...0x1FFF_FFFF).contains(number) else { throw .malformed }
        switch tag & 7 {
        case 0: return Field(number: number, value: .number(try varint()))
        case 1:
            try skip(8)
            return Field(number: number, value: .fixed)
        case 2:
            let length = try varint()
            guard let count = Int(exactly: length) else { throw .malformed }
            let start = position
            try skip(count)
            return Field(number: number, value: .bytes(ByteExtent(start: start, count: count)))
        case 5:
            try skip(4)
            return Field(number: number, value: .fixed)
        default: throw .malformed
        }
    }

    private mutating func skip(_ count: Int) throws(Failure) {
        guard count <= end - position else {
            let (needed, isTooMuch) = position.addingReportingOverflow(count)
            throw isTooMuch ? .malformed : .cutShort(needed: needed)
        }
        position += count
    }

    private mutating func varint() throws(Failure) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else { throw .cutShort(needed: position + 1) }
            let byte = bytes[position]
            position += 1
            if shift == 63, byte > 1 { throw .malformed }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw .malformed
    }
}
