// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Synchronization

/// Wakes those who wait for changes of bulk jobs. Whoever changes a job writes it into one stream; one connection reads that
/// for all who wait in this process, and only while somebody does.
final class BulkChanges: Sendable {
    private typealias Waker = AsyncStream<Void>.Continuation

    private struct State {
        /// By the job's record.
        var wakers: [String: [Int: Waker]] = [:]
        var lastNumber = 0
        var reader: Task<Void, Never>?
        var isShutDown = false
    }

    private let client: RedisClient
    private let key: String
    private let state = Mutex(State())

    init(_ client: RedisClient, key: String) {
        (self.client, self.key) = (client, key)
    }

    /// Waits until something holds of a job; asks when this begins and whenever the job may have changed.
    ///
    /// - Throws: what asking throws; `CancellationError`.
    func wait(
        for record: String,
        until deadline: ContinuousClock.Instant,
        _ isEnough: () async throws -> Bool
    ) async throws {
        let (changes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Whoever is known before they ask misses nothing.
        guard let number = add(waker, for: record) else { return }
        defer { remove(number, for: record) }
        if try await isEnough() { return }
        let alarm = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            waker.finish()
        }
        defer { alarm.cancel() }
        for await _ in changes where try await isEnough() { return }
        try Task.checkCancellation()
    }

    /// Nobody waits any more.
    func shutDown() {
        let (wakers, reader) = state.withLock { state in
            state.isShutDown = true
            return (state.wakers.values.flatMap(\.values), state.reader)
        }
        for waker in wakers { waker.finish() }
        reader?.cancel()
    }

    private func add(_ waker: Waker, for record: String) -> Int? {
        state.withLock { state in
            guard !state.isShutDown else { return nil }
            state.lastNumber += 1
            state.wakers[record, default: [:]][state.lastNumber] = waker
            if state.reader == nil { state.reader = Task { await self.read() } }
            return state.lastNumber
        }
    }

    private func remove(_ number: Int, for record: String) {
        state.withLock { state in
            state.wakers[record]?[number] = nil
            if state.wakers[record]?.isEmpty ?? false { state.wakers[record] = nil }
        }
    }

    /// Whether nobody waits, so that the reader ends.
    private func isOver() -> Bool {
        state.withLock { state in
            let isOver = state.wakers.isEmpty || state.isShutDown
            if isOver { state.reader = nil }
            return isOver
        }
    }

    private func read() async {
        var backOff = BackOff()
        while !isOver() {
            do {
                let connection = try await client.ownConnection()
                try await withTaskCancellationHandler {
                    defer { connection.close() }
                    try await read(on: connection) { backOff.reset() }
                } onCancel: {
                    connection.close()
                }
                return
            } catch {
                let wait = backOff.next()
                client.logger.debug(
                    "changes of jobs can't be read",
                    metadata: ["error": "\(error)", "again": "\(wait)"]
                )
                try? await Task.sleep(for: wait)
            }
        }
    }

    /// Returns when the reader is over.
    private func read(on connection: RedisConnection, _ hasBegun: () -> Void) async throws {
        let newest = try await connection.send(RedisCommand("XREVRANGE", .text(key), "+", "-", "COUNT", 1))
        var last = newest.elements?.first.flatMap(StreamEntry.init)?.id ?? "0-0"
        hasBegun()
        // What came before this is not read: all have to ask.
        wake(state.withLock { $0.wakers.values.flatMap(\.values) })
        let wait = Duration.seconds(5)
        while !isOver() {
            let reply = try await connection.send(
                RedisCommand(
                    "XREAD",
                    "COUNT",
                    256,
                    "BLOCK",
                    .integer(wait.milliseconds),
                    "STREAMS",
                    .text(key),
                    .text(last)
                ),
                blocking: wait
            )
            let entries = (reply.elements?.first?.elements?.last?.elements ?? []).compactMap(StreamEntry.init)
            guard let end = entries.last else { continue }
            last = end.id
            let records = Set(entries.compactMap { $0.values["record"]?.text })
            wake(state.withLock { state in records.flatMap { state.wakers[$0]?.values.map(\.self) ?? [] } })
        }
    }

    private func wake(_ wakers: [Waker]) {
        for waker in wakers { waker.yield() }
    }
}
