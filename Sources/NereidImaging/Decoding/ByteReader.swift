// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Reads numbers out of hostile bytes: every offset is checked, and what lies outside is nil.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    var isBigEndian: Bool

    /// The bytes from `offset` on, at most `count` of them.
    func slice(at offset: Int, count: Int) -> ByteReader? {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
        return ByteReader(
            bytes: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]),
            isBigEndian: isBigEndian
        )
    }

    /// The bytes from `offset` to the end.
    func dropping(_ offset: Int) -> ByteReader? {
        slice(at: offset, count: bytes.count - offset)
    }

    func uint8(at offset: Int) -> Int? {
        bytes.indices.contains(offset) ? Int(bytes[offset]) : nil
    }

    func uint16(at offset: Int) -> Int? {
        integer(UInt16.self, at: offset).map(Int.init)
    }

    func uint32(at offset: Int) -> Int? {
        integer(UInt32.self, at: offset).map(Int.init)
    }

    /// A number of 64 bits, when it fits into 63.
    func uint64(at offset: Int) -> Int? {
        integer(UInt64.self, at: offset).flatMap(Int.init(exactly:))
    }

    func int32(at offset: Int) -> Int? {
        integer(UInt32.self, at: offset).map { Int(Int32(bitPattern: $0)) }
    }

    private func integer<T: FixedWidthInteger>(_ type: T.Type, at offset: Int) -> T? {
        guard offset >= 0, offset <= bytes.count - MemoryLayout<T>.size else { return nil }
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
        return isBigEndian ? T(bigEndian: value) : T(littleEndian: value)
    }
}
