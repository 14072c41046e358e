// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// Where runs wait for a free instance, without blocking a thread.
final class InstanceGate: Sendable {
    private typealias Waiter = CheckedContinuation<Int, any Error>

    private struct State {
        var queue: InstanceQueue<Waiter>
        var nextTicket: UInt64 = 0
    }

    private let state: Mutex<State>
    private let closedError: InferenceError

    /// - Parameter closedError: What ``take()`` throws after ``close()``.
    init(instances: Int, closedError: InferenceError) {
        state = Mutex(State(queue: InstanceQueue(instances: instances)))
        self.closedError = closedError
    }

    /// How many instances are free now.
    var freeCount: Int { state.withLock { $0.queue.freeCount } }

    /// Waits for an instance; whoever took it must give it back.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled; the error for a closed gate.
    func take() async throws -> Int {
        let ticket = state.withLock { state in
            defer { state.nextTicket += 1 }
            return state.nextTicket
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                // Looking under the lock leaves no gap: a task cancelled later finds its ticket in the queue.
                let answer: Result<Int, any Error>? = state.withLock { state in
                    guard !Task.isCancelled else { return .failure(CancellationError()) }
                    return switch state.queue.ask(ticket, waiter) {
                    case .lent(let instance): .success(instance)
                    case .waiting: nil
                    case .closed: .failure(closedError)
                    }
                }
                if let answer { waiter.resume(with: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.queue.leave(ticket) }
            waiter?.resume(throwing: CancellationError())
        }
    }

    /// Gives an instance to the next who waits.
    func giveBack(_ instance: Int) {
        let waiter = state.withLock { $0.queue.giveBack(instance) }
        waiter?.resume(returning: instance)
    }

    /// Refuses those who wait and those who come later.
    func close() {
        let waiters = state.withLock { $0.queue.close() }
        for waiter in waiters { waiter.resume(throwing: closedError) }
    }
}
