// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// What a worker has in its hands, and whether it is to take more.
final class HeldJobs: Sendable {
    private struct State: Sendable {
        /// The entries that are worked on.
        var held: [JobStream: Set<String>] = [:]
        /// Every stream that jobs were looked for in.
        var streams: Set<JobStream> = []
        /// The numbers of the connections that wait for jobs.
        var reading: Set<Int> = []
        var isStopping = false
        var sleepers: [Int: Task<Void, Never>] = [:]
        var lastSleeper = 0
    }

    private let state = Mutex(State())

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// How many jobs there are.
    var count: Int { state.withLock { $0.held.values.reduce(0) { $0 + $1.count } } }

    func count(of model: String) -> Int {
        state.withLock { $0.held.reduce(0) { $0 + ($1.key.model == model ? $1.value.count : 0) } }
    }

    var ids: [(stream: JobStream, ids: [String])] {
        state.withLock { $0.held.filter { !$0.value.isEmpty }.map { ($0.key, $0.value.sorted()) } }
    }

    var streams: Set<JobStream> { state.withLock { $0.streams } }

    var reading: Set<Int> { state.withLock { $0.reading } }

    /// A connection is about to wait for jobs.
    ///
    /// - Returns: `false` when no more are to be taken.
    func beginReading(_ connection: Int) -> Bool {
        state.withLock { state in
            if !state.isStopping { state.reading.insert(connection) }
            return !state.isStopping
        }
    }

    /// It waits no more, and has brought these.
    func endReading(_ connection: Int, of model: String, holding jobs: [DeliveredJob] = []) {
        state.withLock { state in
            state.reading.remove(connection)
            for job in jobs { state.held[job.stream, default: []].insert(job.id) }
            for lane in Lane.allCases { state.streams.insert(JobStream(model: model, lane: lane)) }
        }
    }

    func hold(_ job: DeliveredJob) {
        state.withLock { state in
            state.held[job.stream, default: []].insert(job.id)
            state.streams.insert(job.stream)
        }
    }

    func release(_ jobs: [DeliveredJob]) {
        let sleepers = state.withLock { state in
            for job in jobs { state.held[job.stream]?.remove(job.id) }
            return state.isStopping && state.held.values.allSatisfy(\.isEmpty) ? Array(state.sleepers.values) : []
        }
        for sleeper in sleepers { sleeper.cancel() }
    }

    /// No more jobs are to be taken; who sleeps is woken.
    func stop() {
        let sleepers = state.withLock { state in
            state.isStopping = true
            return Array(state.sleepers.values)
        }
        for sleeper in sleepers { sleeper.cancel() }
    }

    /// Waits, but no longer than until no more jobs are to be taken.
    ///
    /// - Parameter untilEmpty: wait on when that is so already, until the last job is released.
    func sleep(atMost duration: Duration, untilEmpty: Bool = false) async {
        let sleeper = Task<Void, Never> { try? await Task.sleep(for: duration) }
        let number = state.withLock { state in
            state.lastSleeper += 1
            let isOver = state.isStopping && (!untilEmpty || state.held.values.allSatisfy(\.isEmpty))
            if !isOver { state.sleepers[state.lastSleeper] = sleeper }
            return isOver ? nil : state.lastSleeper
        }
        guard let number else { return sleeper.cancel() }
        await withTaskCancellationHandler {
            await sleeper.value
        } onCancel: {
            sleeper.cancel()
        }
        state.withLock { $0.sleepers[number] = nil }
    }
}
