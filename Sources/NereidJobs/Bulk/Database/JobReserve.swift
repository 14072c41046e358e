// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Bytes of the disk that are set aside in a file, so that results and deletions have room when the disk is full: the file is
/// removed then. Orders are refused until it is there again.
final class JobReserve: Sendable {
    let path: String
    /// The bytes that are set aside.
    let size: Int
    private let held: Mutex<Bool>

    /// Beside the reserve so much must be free before it is set aside.
    private static let margin = 8 << 20

    /// Takes over a reserve that is there already.
    init(path: String, size: Int) {
        (self.path, self.size) = (path, size)
        held = Mutex(FileIdentity(path)?.size == size)
    }

    /// Whether the bytes are set aside.
    var isHeld: Bool { held.withLock(\.self) }

    /// Sets the bytes aside, if that leaves something free.
    ///
    /// - Returns: whether they are set aside.
    @discardableResult
    func hold(of free: Int) -> Bool {
        held.withLock { held in
            if !held, free >= size + min(size, Self.margin) { held = allocate() }
            return held
        }
    }

    /// Gives the bytes back to the disk.
    ///
    /// - Returns: whether there were any.
    func release() -> Bool {
        held.withLock { held in
            let isThere = FileIdentity(path) != nil
            if isThere { unlink(path) }
            held = false
            return isThere
        }
    }

    /// Looks whether the file is still there: others may have removed it.
    func examine() {
        held.withLock { $0 = $0 && FileIdentity(path)?.size == size }
    }

    private func allocate() -> Bool {
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return false }
        defer { close(file) }
        guard fill(file) else {
            unlink(path)
            return false
        }
        return true
    }

    private func fill(_ file: CInt) -> Bool {
        #if canImport(Glibc) || canImport(Musl)
        return posix_fallocate(file, 0, off_t(size)) == 0
        #else
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var left = size
        while left > 0 {
            let written = zeros.withUnsafeBytes { write(file, $0.baseAddress, min(left, $0.count)) }
            guard written > 0 else { return false }
            left -= written
        }
        return true
        #endif
    }
}
