// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import DequeModule
import Synchronization

/// Lets so many in at once, and others one after another as these leave.
package final class SendingPlaces: Sendable {
    private struct State: Sendable {
        var free: Int
        var lastNumber = 0
        var waiting: Deque<(number: Int, continuation: CheckedContinuation<Void, any Error>)> = []
    }

    private let state: Mutex<State>

    /// - Parameter count: how many may be inside at a time, 1 or more.
    package init(_ count: Int) {
        state = Mutex(State(free: count))
    }

    /// How many wait to be let in.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs something when there is a place for it.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before; what the body throws.
    package func hold<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        try await enter()
        defer { leave() }
        return try await body()
    }

    private func enter() async throws {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isIn = state.withLock { state in
                    // A cancellation that came before has found nobody waiting.
                    if Task.isCancelled { return Bool?.none }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.waiting.append((number, continuation))
                    return false
                }
                if isIn == nil { continuation.resume(throwing: CancellationError()) }
                if isIn == true { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0).continuation }
            }
            continuation?.resume(throwing: CancellationError())
        }
    }

    private func leave() {
        let next = state.withLock { state in
            let next = state.waiting.popFirst()
            if next == nil { state.free += 1 }
            return next
        }
        next?.continuation.resume()
    }
}
