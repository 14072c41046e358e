// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

@testable import NereidJobs

/// A queue whose answers the test gives.
final class ScriptedQueue: JobQueue {
    private struct State {
        var waiting: [String: CheckedContinuation<JobAnswer, any Error>] = [:]
        var cancelled: [String] = []
        var most = 0
        var isAutomatic = false
        var order: [String] = []
    }

    private let state = Mutex(State())
    /// The pictures of jobs as they come.
    let arrivals: AsyncStream<Job>
    private let arrival: AsyncStream<Job>.Continuation

    /// - Parameter isAutomatic: whether each job is answered at once.
    init(isAutomatic: Bool = false) {
        (arrivals, arrival) = AsyncStream.makeStream()
        state.withLock { $0.isAutomatic = isAutomatic }
    }

    /// The ids of jobs that were cancelled before they were answered.
    var cancelled: [String] { state.withLock { $0.cancelled } }
    /// The most that were here at once.
    var most: Int { state.withLock { $0.most } }
    /// The ids of all jobs that came, in their order.
    var order: [String] { state.withLock { $0.order } }

    func submit(_ job: Job) async throws -> JobAnswer {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isAutomatic = state.withLock { state in
                    state.order.append(job.id)
                    state.waiting[job.id] = continuation
                    state.most = max(state.most, state.waiting.count)
                    return state.isAutomatic
                }
                arrival.yield(job)
                if isAutomatic { answer(job.id, .success(.box())) }
                if Task.isCancelled { cancel(job.id) }
            }
        } onCancel: {
            cancel(job.id)
        }
    }

    func answer(_ id: String, _ result: Result<JobAnswer, any Error> = .success(.box())) {
        state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(with: result)
    }

    func load(of model: String) -> QueueLoad { .idle }

    private func cancel(_ id: String) {
        let continuation = state.withLock { state in
            let continuation = state.waiting.removeValue(forKey: id)
            if continuation != nil { state.cancelled.append(id) }
            return continuation
        }
        continuation?.resume(throwing: CancellationError())
    }
}
