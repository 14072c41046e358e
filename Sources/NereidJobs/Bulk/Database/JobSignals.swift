// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// Tells those in this process who wait for a change of a job that there may be one.
final class JobSignals: Sendable {
    /// What those who look after all jobs are told.
    enum News: Sendable, Hashable {
        case accepted
        case removed(id: String)
        /// The store can't be used any more.
        case damaged
    }

    private struct Waiter {
        let job: String
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var mark: UInt64 = 0
        var lastNumber: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]
        var readers: [UInt64: AsyncStream<News>.Continuation] = [:]
    }

    private let state = Mutex(State())

    /// How many changes there have been. Take it before looking at a job: a later change is not missed then.
    var mark: UInt64 { state.withLock { $0.mark } }

    /// How many wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// A job has changed.
    func changed(_ job: String) {
        let woken = state.withLock { state in
            state.mark += 1
            let woken = state.waiters.filter { $0.value.job == job }
            for number in woken.keys { state.waiters[number] = nil }
            return woken.values
        }
        for waiter in woken { waiter.continuation.resume() }
    }

    func tell(_ news: News) {
        for reader in state.withLock({ Array($0.readers.values) }) { reader.yield(news) }
    }

    /// What is told from now on.
    func news() -> AsyncStream<News> {
        let (stream, continuation) = AsyncStream.makeStream(of: News.self)
        let number = state.withLock { state in
            state.lastNumber += 1
            state.readers[state.lastNumber] = continuation
            return state.lastNumber
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.readers[number] = nil }
        }
        return stream
    }

    /// Waits until a job has changed, or any has since a mark; at the latest until the deadline.
    ///
    /// - Throws: `CancellationError`.
    func wait(for job: String, since mark: UInt64, until deadline: ContinuousClock.Instant) async throws {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let alarm = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            end(number, .success(()))
        }
        defer { alarm.cancel() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isPast = state.withLock { state in
                    guard state.mark == mark else { return true }
                    state.waiters[number] = Waiter(job: job, continuation: continuation)
                    return false
                }
                if isPast {
                    continuation.resume()
                } else if Task.isCancelled {
                    // A cancellation or an alarm that came before has found nobody to wake.
                    end(number, .failure(CancellationError()))
                } else if deadline <= .now {
                    end(number, .success(()))
                }
            }
        } onCancel: {
            end(number, .failure(CancellationError()))
        }
    }

    private func end(_ number: UInt64, _ result: Result<Void, any Error>) {
        state.withLock { $0.waiters.removeValue(forKey: number) }?.continuation.resume(with: result)
    }
}
