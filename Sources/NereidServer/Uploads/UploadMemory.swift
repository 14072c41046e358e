// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// The memory that all uploads may hold together, so that no number of requests can exhaust the machine.
final class UploadMemory: Sendable {
    private let limit: Int
    private let used = Mutex(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// Bytes held now.
    var byteCount: Int { used.withLock { $0 } }

    /// A share that begins empty, grows as an upload comes in, and is given back when nobody holds it any more.
    func share() -> Share { Share(of: self) }

    /// What one request holds.
    final class Share: Sendable {
        private let memory: UploadMemory
        private let held = Mutex(0)

        fileprivate init(of memory: UploadMemory) {
            self.memory = memory
        }

        deinit {
            let bytes = held.withLock { $0 }
            memory.used.withLock { $0 -= bytes }
        }

        /// Takes more memory.
        ///
        /// - Throws: ``UploadError/memoryFull(limit:)`` when that is more than there is for all.
        func grow(by bytes: Int) throws(UploadError) {
            let fits = memory.used.withLock { used in
                guard used + bytes <= memory.limit else { return false }
                used += bytes
                return true
            }
            guard fits else { throw .memoryFull(limit: memory.limit) }
            held.withLock { $0 += bytes }
        }

        /// Gives back memory that is not held any more.
        func shrink(by bytes: Int) {
            let given = held.withLock { held in
                let given = min(bytes, held)
                held -= given
                return given
            }
            memory.used.withLock { $0 -= given }
        }
    }
}
