// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The bytes of a checkpoint, mapped read-only from its file or held in memory.
///
/// Every access is inside `0..<count`; callers check against the file's own claims first, so that a wrong claim becomes
/// an error that names it.
final class CheckpointBytes: @unchecked Sendable {
    // `@unchecked Sendable` holds because the memory is written only before the initialiser returns.
    private let memory: UnsafeRawBufferPointer
    private let isMapped: Bool

    var count: Int { memory.count }

    /// Maps a file.
    ///
    /// - Throws: ``CheckpointError/unreadable(file:reason:)`` when it cannot be opened or is not a regular file.
    init(mapping path: String) throws(CheckpointError) {
        // Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable(file: path, reason: Self.reason(errno)) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(file: path, reason: Self.reason(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw .unreadable(file: path, reason: "it is \(isFolder ? "a folder" : "not a regular file")")
        }
        guard status.st_size > 0 else {
            memory = UnsafeRawBufferPointer(start: nil, count: 0)
            isMapped = false
            return
        }
        guard let count = Int(exactly: status.st_size),
            let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
        else { throw .unreadable(file: path, reason: Self.reason(errno)) }
        memory = UnsafeRawBufferPointer(start: start, count: count)
        isMapped = true
    }

    /// Holds a copy of bytes that are in memory already.
    init(copying bytes: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
        copy.copyMemory(from: bytes)
        memory = UnsafeRawBufferPointer(copy)
        isMapped = false
    }

    deinit {
        if isMapped {
            munmap(UnsafeMutableRawPointer(mutating: memory.baseAddress), memory.count)
        } else {
            memory.deallocate()
        }
    }

    subscript(offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < memory.count)
        return memory[offset]
    }

    /// Reads a little-endian integer at any offset.
    func integer<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value {
        precondition(offset >= 0 && MemoryLayout<Value>.size <= memory.count - offset)
        return Value(littleEndian: memory.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    func withBytes<Result>(
        in extent: ByteExtent,
        _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        precondition(extent.start >= 0 && extent.count >= 0 && extent.start <= memory.count - extent.count)
        return try body(UnsafeRawBufferPointer(rebasing: memory[extent.start..<extent.start + extent.count]))
    }

    /// Tells whether the bytes from `offset` on begin with those of `text`.
    func starts(with text: StaticString, at offset: Int = 0) -> Bool {
        let length = text.utf8CodeUnitCount
        guard offset >= 0, offset <= memory.count, length <= memory.count - offset else { return false }
        return text.withUTF8Buffer { expected in
            memory[offset..<offset + length].elementsEqual(expected)
        }
    }

    /// Reads UTF-8; `nil` when the bytes are not.
    func text(in extent: ByteExtent) -> String? {
        precondition(extent.start >= 0 && extent.count >= 0 && extent.start <= memory.count - extent.count)
        return String(validating: memory[extent.start..<extent.start + extent.count], as: UTF8.self)
    }

    private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}

/// A run of bytes in a checkpoint's file.
struct ByteExtent: Sendable, Hashable {
    var start: Int
    var count: Int

    var end: Int { start + count }
}
