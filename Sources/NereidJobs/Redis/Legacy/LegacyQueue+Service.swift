// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import DequeModule
import ServiceLifecycle
import Synchronization

extension LegacyQueue {
    /// Looks at the lists twice a second and removes answers that nobody waits for any more, until the service is asked to stop
    /// or its task is cancelled. Who still waits then is told so: stop what submits jobs first.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.look()
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
        // A task that is cancelled sends nothing any more.
        await Task { await removeAbandoned() }.value
        pushing.shutDown()
        asking.shutDown()
    }

    private func look() async {
        do {
            let lengths = try await asking.send(lists.map { RedisCommand("LLEN", .text($0.list)) })
            let bytes = try await asking.send(
                lists.map { RedisCommand("MEMORY", "USAGE", .text($0.list), "SAMPLES", "0") }
            )
            var loads: [String: QueueLoad] = [:]
            for (index, list) in lists.enumerated() {
                loads[list.model] = QueueLoad(
                    waiting: try lengths[index].orThrow().integer ?? 0,
                    waitingBytes: try bytes[index].orThrow().integer ?? 0,
                    running: 0
                )
            }
            snapshot.withLock { $0 = Snapshot(loads: loads, obstacle: nil) }
            await removeAbandoned()
        } catch {
            if Task.isCancelled { return }
            let reason = "the lists of the older workers can't be looked at: \(error)"
            let isNew = snapshot.withLock { snapshot in
                defer { snapshot.obstacle = reason }
                return snapshot.obstacle != reason
            }
            if isNew { logger.warning("\(reason)") }
        }
    }

    private func removeAbandoned() async {
        let ids = abandoned.all()
        guard !ids.isEmpty else { return }
        let replies = try? await asking.send(ids.map { RedisCommand("DEL", .text($0)) })
        for (id, reply) in zip(ids, replies ?? []) where reply == .integer(1) { abandoned.remove(id) }
    }
}

/// Pictures whose requesters have left, while workers may still store an answer. An old worker's answers have no end of life:
/// what nobody takes stays in Redis for ever.
final class AbandonedAnswers: Sendable {
    /// The oldest ones give way to new ones.
    static let most = 4096
    /// After so long no answer is expected any more: whoever had the picture has ended.
    static let life = Duration.seconds(600)

    private let ids = Mutex<Deque<(id: String, since: ContinuousClock.Instant)>>([])

    /// Those whose answers may still come.
    func all(at now: ContinuousClock.Instant = .now) -> [String] {
        ids.withLock { ids in
            while let first = ids.first, now - first.since > Self.life { ids.removeFirst() }
            return ids.map(\.id)
        }
    }

    func add(_ id: String, at now: ContinuousClock.Instant = .now) {
        ids.withLock { ids in
            if ids.count == Self.most { ids.removeFirst() }
            ids.append((id, now))
        }
    }

    func remove(_ id: String) {
        ids.withLock { ids in ids.removeAll { $0.id == id } }
    }
}
