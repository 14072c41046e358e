// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// What a worker has in its hands, and whether it is to take more.
final class HeldJobs: Sendable {
    private struct State: Sendable {
        /// The entries that are worked on, by model.
        var held: [String: Set<String>] = [:]
        /// Every model that jobs were taken of.
        var models: Set<String> = []
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

    func count(of model: String) -> Int { state.withLock { $0.held[model]?.count ?? 0 } }

    var ids: [(model: String, ids: [String])] {
        state.withLock { $0.held.filter { !$0.value.isEmpty }.map { ($0.key, $0.value.sorted()) } }
    }

    var models: Set<String> { state.withLock { $0.models } }

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
    func endReading(_ connection: Int, holding ids: [String] = [], of model: String) {
        state.withLock { state in
            state.reading.remove(connection)
            state.held[model, default: []].formUnion(ids)
            state.models.insert(model)
        }
    }

    func hold(_ id: String, of model: String) {
        state.withLock { state in
            state.held[model, default: []].insert(id)
            state.models.insert(model)
        }
    }

    func release(_ ids: [String], of model: String) {
        let sleepers = state.withLock { state in
            state.held[model]?.subtract(ids)
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
