// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A file that TLS needs, read whole.
struct TLSFile {
    let bytes: [UInt8]
    /// Its permissions, the lowest nine bits.
    let mode: UInt32

    /// More than the longest chain anybody has; a larger file is another one.
    private static let limit = 1 << 20

    /// Reads a file.
    ///
    /// - Throws: ``TLSError`` when it is not there, may not be read, or is not a file of at most 1 MiB.
    init(_ path: String, as role: TLSError.Role) throws(TLSError) {
        // Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.error(errno, path, role) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.error(errno, path, role) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw .unreadable(file: path, role: role, reason: "it is \(isFolder ? "a folder" : "not a regular file")")
        }
        guard status.st_size <= Self.limit else {
            throw .unreadable(file: path, role: role, reason: "it is larger than 1 MiB")
        }
        // One byte more, so that the end is seen.
        var buffer = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
        var count = 0
        while count < buffer.count {
            let result = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + count, $0.count - count) }
            if result < 0, errno == EINTR { continue }
            guard result >= 0 else { throw Self.error(errno, path, role) }
            if result == 0 { break }
            count += result
        }
        bytes = Array(buffer.prefix(count))
        mode = UInt32(status.st_mode) & 0o777
    }

    /// The system's error in words that help.
    static func error(_ number: Int32, _ path: String, _ role: TLSError.Role) -> TLSError {
        switch number {
        case ENOENT, ENOTDIR: .missing(file: path, role: role, other: nil)
        case EACCES, EPERM: .forbidden(file: path, role: role, user: UInt32(geteuid()))
        default: .unreadable(file: path, role: role, reason: String(cString: strerror(number)))
        }
    }
}

/// What tells one state of a file from another, through links to the file that they lead to.
///
/// The time of the last change to its permissions is part of it, so that a key that was refused for them is read again.
struct FileStamp: Equatable, Sendable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let modified: Int64
    private let changed: Int64

    /// - Returns: `nil` when nothing is there.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        #if canImport(Darwin)
        let times = (status.st_mtimespec, status.st_ctimespec)
        #else
        let times = (status.st_mtim, status.st_ctim)
        #endif
        device = UInt64(bitPattern: Int64(status.st_dev))
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Self.nanoseconds(times.0)
        changed = Self.nanoseconds(times.1)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
