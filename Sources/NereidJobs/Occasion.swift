// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// Something that comes once, such as the signal to stop or the end of a connection, with what is to be done then.
package final class Occasion: Sendable {
    private struct State {
        var hasCome = false
        var lastNumber = 0
        var waiting: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether it has come.
    package var hasCome: Bool { state.withLock { $0.hasCome } }

    /// It has come: every action that waits for it is called, once.
    package func come() {
        let actions = state.withLock { state in
            state.hasCome = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for action in actions { action() }
    }

    /// Calls `action` when it comes, at once if it has come. Returns a number to take that back by.
    @discardableResult
    package func whenItComes(_ action: @escaping @Sendable () -> Void) -> Int {
        let (number, hasCome) = state.withLock { state in
            state.lastNumber += 1
            if !state.hasCome { state.waiting[state.lastNumber] = action }
            return (state.lastNumber, state.hasCome)
        }
        if hasCome { action() }
        return number
    }

    /// The action is not wanted any more.
    package func forget(_ number: Int) {
        state.withLock { _ = $0.waiting.removeValue(forKey: number) }
    }

    /// Runs work that is cancelled when the occasion comes.
    ///
    /// - Throws: what the work throws, which is `CancellationError` when it heeds the cancellation.
    package func cancels<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task(operation: work)
        let number = whenItComes { task.cancel() }
        defer { forget(number) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
