// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// Whether the server wants requests.
final class Readiness: Sendable {
    private struct State {
        var isStopping = false
        var lastNumber = 0
        var waiting: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Whether no new requests are wanted any more.
    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// From now on no new requests are wanted, and answers without an end are to end.
    func stop() {
        let actions = state.withLock { state in
            state.isStopping = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for action in actions { action() }
    }

    /// What stands against sending requests here; empty when nothing does.
    func obstacles(_ models: any ModelDirectory) -> [String] {
        isStopping ? ["the server is shutting down"] : models.obstacles
    }

    /// Calls `action` once when the server is told to stop, at once if it has been. Returns a number to take that back by.
    func whenStopping(_ action: @escaping @Sendable () -> Void) -> Int {
        let (number, isStopping) = state.withLock { state in
            state.lastNumber += 1
            if !state.isStopping { state.waiting[state.lastNumber] = action }
            return (state.lastNumber, state.isStopping)
        }
        if isStopping { action() }
        return number
    }

    /// The action is not wanted any more.
    func forget(_ number: Int) {
        state.withLock { _ = $0.waiting.removeValue(forKey: number) }
    }

    /// Runs work that is cancelled when the server is told to stop.
    func untilStopping<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let task = Task(operation: work)
        let number = whenStopping { task.cancel() }
        defer { forget(number) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
