// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import GRDB

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// How much room a disk has. Tests put a smaller one in its place.
struct DiskSpace: Sendable {
    /// The bytes that this user may still write on the disk of a path; `nil` if that can't be told.
    var free: @Sendable (_ path: String) -> Int?
    /// Called on the writing connection after the reserve was released.
    var afterRelease: @Sendable (Database) throws -> Void = { _ in }

    /// Below this a disk counts as full, whatever word an error has for it.
    static let least = 1 << 20

    /// As the system tells it.
    static let system = DiskSpace { path in
        var info = statvfs()
        guard statvfs(path, &info) == 0 else { return nil }
        let (bytes, overflow) = Int(clamping: info.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: info.f_frsize)
        )
        return overflow ? .max : bytes
    }

    /// Whether an error of SQLite means that the disk is full: its files of shared memory and its log have other words for it.
    func isFull(_ error: DatabaseError, at path: String) -> Bool {
        switch error.resultCode {
        case .SQLITE_FULL: true
        case .SQLITE_IOERR, .SQLITE_CANTOPEN: (free(path) ?? .max) < Self.least
        default: false
        }
    }
}

/// What tells one file from another that takes its name.
struct FileIdentity: Sendable, Hashable {
    let device: UInt64
    let number: UInt64
    let size: Int

    /// `nil` when there is no such file.
    init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        device = UInt64(truncatingIfNeeded: info.st_dev)
        number = UInt64(truncatingIfNeeded: info.st_ino)
        size = Int(info.st_size)
    }

    func isSameFile(as other: FileIdentity) -> Bool { device == other.device && number == other.number }
}
