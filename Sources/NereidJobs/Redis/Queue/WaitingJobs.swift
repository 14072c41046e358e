// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Synchronization

/// Those who wait for answers from a queue in Redis.
final class WaitingJobs: Sendable {
    typealias Continuation = CheckedContinuation<ByteBuffer, any Error>

    struct Waiter: Sendable {
        let continuation: Continuation
        /// The entry of the stream, once it is known.
        var id: String?
    }

    private struct State: Sendable {
        var waiters: [String: Waiter] = [:]
        var lastNumber = 0
        var end: JobError?
    }

    private let state = Mutex(State())

    /// A name for a job that none has had.
    func makeTicket(prefix: String) -> String {
        state.withLock { state in
            state.lastNumber += 1
            return "\(prefix)-\(state.lastNumber)"
        }
    }

    var count: Int { state.withLock { $0.waiters.count } }

    func await(_ ticket: String, _ continuation: Continuation) {
        let end = state.withLock { state in
            if state.end == nil { state.waiters[ticket] = Waiter(continuation: continuation) }
            return state.end
        }
        if let end { continuation.resume(throwing: end) }
    }

    /// A job stands in the stream.
    ///
    /// - Returns: whether somebody waits for it, or has had its answer already.
    func admitted(_ ticket: String, as id: String) -> Bool {
        state.withLock { state in
            guard state.waiters[ticket] != nil else { return false }
            state.waiters[ticket]?.id = id
            return true
        }
    }

    func remove(_ ticket: String) -> Waiter? {
        state.withLock { $0.waiters.removeValue(forKey: ticket) }
    }

    /// Answers, once; later answers go nowhere.
    func answer(_ ticket: String, _ result: Result<ByteBuffer, any Error>) {
        remove(ticket)?.continuation.resume(with: result)
    }

    /// Answers all who wait, and all who come later.
    func end(_ error: JobError) {
        let waiters = state.withLock { state in
            state.end = error
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.continuation.resume(throwing: error) }
    }
}

/// Names that are taken nowhere else.
enum UniqueName {
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        let digits = String(generator.next() as UInt64, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
