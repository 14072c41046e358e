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

/// The number of the last job that was accepted, in a file beside the database. SQLite takes a log that was cut short, and a
/// database whose log was removed, for whole ones of an earlier time; this number shows that accepted jobs are missing.
///
/// It is written after the database has the job, and not forced to the disk: after a loss of power it may be too low, never too high.
final class JobLedger: Sendable {
    private let file: CInt
    private let last: Mutex<Int64>

    private static let digits = 20

    /// Reads the ledger, or begins one. A ledger that can't be written keeps nothing.
    init(path: String) {
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        var text = [UInt8](repeating: 0, count: Self.digits)
        let count = file < 0 ? 0 : pread(file, &text, text.count, 0)
        let isWhole = count == Self.digits
        last = Mutex(isWhole ? Int64(String(decoding: text, as: UTF8.self)) ?? 0 : 0)
    }

    deinit {
        if file >= 0 { close(file) }
    }

    /// The number of the last job that was accepted; 0: none.
    var lastNumber: Int64 { last.withLock(\.self) }

    /// A job was accepted. Lower numbers than the last change nothing.
    func note(_ number: Int64) {
        last.withLock { last in
            guard number > last else { return }
            last = number
            write(number)
        }
    }

    /// Begins anew from a number that may be lower.
    func reset(to number: Int64) {
        last.withLock { last in
            guard last != number else { return }
            last = number
            write(number)
        }
    }

    private func write(_ number: Int64) {
        guard file >= 0 else { return }
        let digits = String(number)
        let text = String(repeating: "0", count: max(0, Self.digits - digits.count)) + digits + "\n"
        var bytes = Array(text.utf8)
        _ = pwrite(file, &bytes, bytes.count, 0)
    }
}
