// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs
import Synchronization

/// The memory that all uploads may hold together, so that no number of requests can exhaust the machine.
final class UploadMemory: Sendable {
    private struct Use {
        var bytes = 0
        /// Uploads that hold something.
        var shares = 0
        var releases = CompletionRate()
    }

    private let limit: Int
    private let used = Mutex(Use())

    init(limit: Int) {
        self.limit = limit
    }

    /// Bytes held now.
    var byteCount: Int { used.withLock { $0.bytes } }

    /// The time until half of the uploads that hold memory now have given it back; `nil`: it is not known.
    var timeUntilRoom: Duration? { used.withLock { $0.releases.time(for: ($0.shares + 1) / 2, at: .now) } }

    /// A share that begins empty, grows as an upload comes in, and is given back when nobody holds it any more.
    func share() -> Share { Share(of: self) }

    /// What one request holds.
    final class Share: Sendable {
        private let memory: UploadMemory
        private let held = Mutex((bytes: 0, hasHeld: false))

        fileprivate init(of memory: UploadMemory) {
            self.memory = memory
        }

        deinit {
            let (bytes, hasHeld) = held.withLock { ($0.bytes, $0.hasHeld) }
            guard hasHeld else { return }
            memory.used.withLock { used in
                used.bytes -= bytes
                used.shares -= 1
                used.releases.completed(at: .now)
                if used.shares == 0 { used.releases.pauses() }
            }
        }

        /// Takes more memory.
        ///
        /// - Throws: ``UploadError/memoryFull(limit:)`` when that is more than there is for all.
        func grow(by bytes: Int) throws(UploadError) {
            let fits = held.withLock { held in
                memory.used.withLock { used in
                    guard used.bytes + bytes <= memory.limit else { return false }
                    used.bytes += bytes
                    if !held.hasHeld {
                        used.shares += 1
                        used.releases.begins(at: .now)
                    }
                    held = (held.bytes + bytes, true)
                    return true
                }
            }
            guard fits else { throw .memoryFull(limit: memory.limit) }
        }

        /// Gives back memory that is not held any more.
        func shrink(by bytes: Int) {
            let given = held.withLock { held in
                let given = min(bytes, held.bytes)
                held.bytes -= given
                return given
            }
            memory.used.withLock { $0.bytes -= given }
        }
    }
}
