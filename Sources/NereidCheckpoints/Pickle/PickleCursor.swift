// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Reads a pickle's bytes from front to back, never beyond its end.
struct PickleCursor {
    let bytes: CheckpointBytes
    let part: CheckpointPart
    /// Where the next byte is read, from the start of the file.
    var position: Int

    init(_ bytes: CheckpointBytes, part: CheckpointPart) {
        self.bytes = bytes
        self.part = part
        position = part.extent.start
    }

    var remaining: Int { part.extent.end - position }

    mutating func take(_ count: Int) throws(CheckpointError) -> ByteExtent {
        guard count <= remaining else {
            throw part.damaged(
                at: position,
                "the pickle wants \(count) bytes more, but only \(remaining) are left"
            )
        }
        defer { position += count }
        return ByteExtent(start: position, count: count)
    }

    mutating func byte() throws(CheckpointError) -> UInt8 {
        bytes[try take(1).start]
    }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws(CheckpointError) -> Value {
        bytes.integer(type, at: try take(MemoryLayout<Value>.size).start)
    }

    /// Reads a length that stands before its bytes.
    mutating func length<Value: FixedWidthInteger>(_ type: Value.Type) throws(CheckpointError) -> Int {
        let start = position
        let value = try integer(type)
        guard let length = Int(exactly: value), length >= 0, length <= remaining else {
            throw part.damaged(at: start, "a length of \(value) bytes is given, but only \(remaining) are left")
        }
        return length
    }

    /// Reads up to a line feed, which is left out.
    mutating func line() throws(CheckpointError) -> ByteExtent {
        let start = position
        var end = start
        while end < part.extent.end, bytes[end] != 0x0A { end += 1 }
        guard end < part.extent.end else { throw part.damaged(at: start, "a name has no end") }
        position = end + 1
        return ByteExtent(start: start, count: end - start)
    }
}

/// A stretch of a checkpoint's file that holds pickles, and what it is called in messages.
struct CheckpointPart {
    let file: String
    /// The entry of the archive; `nil` when the file has no entries.
    let name: String?
    let extent: ByteExtent

    /// Where an offset in the file stands in this part.
    func place(_ position: Int) -> CheckpointPlace {
        CheckpointPlace(part: name, byte: name == nil ? position : position - extent.start)
    }

    func damaged(at position: Int, _ reason: String) -> CheckpointError {
        .damaged(file: file, place: place(position), reason: reason)
    }
}
