// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation
public import Logging
import NIOCore

/// Bulk jobs in Redis, beside the queue that their pictures wait in: any gateway of the queue sees them, none has to stay alive
/// for them to be done, and workers count their answers. docs/queue.md describes the keys.
public final class RedisJobStore: BulkJobStore {
    let client: RedisClient
    let settings: RedisQueueSettings
    let limits: BulkLimits
    private let changes: BulkChanges

    /// Makes a store.
    ///
    /// - Parameters:
    ///   - address: where Redis is.
    ///   - limits: how much waits, and how long finished jobs are kept: what this store accepts keeps to them.
    ///   - settings: how the queue is kept.
    ///   - logger: told of lost connections.
    public init(
        _ address: RedisAddress,
        limits: BulkLimits = .init(),
        settings: RedisQueueSettings = .init(),
        logger: Logger
    ) {
        // Not the connection of those who wait: orders may be large.
        client = RedisClient(address, logger: logger)
        changes = BulkChanges(client, key: settings.keys.changes)
        self.limits = limits
        self.settings = settings
    }

    var keys: QueueKeys { settings.keys }

    /// Ends its connections; whoever waits for a change waits no more.
    public func shutDown() {
        changes.shutDown()
        client.shutDown()
    }

    /// A job as it stands; `nil` when there is none, or none any more.
    public func job(_ id: String) async throws -> BulkJob? {
        guard BulkID.isOne(id) else { return nil }
        return BulkJob(id: id, try await send(RedisCommand("HGETALL", .text(keys.record(id)))))
    }

    /// Jobs, the newest first; see ``BulkJobStore/jobs(before:limit:)``.
    public func jobs(before: String?, limit: Int) async throws -> [BulkJob] {
        var jobs: [BulkJob] = []
        // Ids begin with the time: their order is that of the jobs.
        var end = before.map { "(\($0)" } ?? "+"
        while jobs.count < limit {
            let most = min(limit - jobs.count, 100)
            let reply = try await send(
                RedisCommand("ZREVRANGEBYLEX", .text(keys.bulkJobs), .text(end), "-", "LIMIT", 0, .integer(most))
            )
            let ids = (reply.elements ?? []).compactMap(\.text)
            guard let last = ids.last else { break }
            end = "(\(last)"
            let records = try await send(ids.map { RedisCommand("HGETALL", .text(keys.record($0))) })
            let found = zip(ids, records).map { BulkJob(id: $0, $1) }
            jobs += found.compactMap(\.self)
            let gone = zip(ids, found).filter { $0.1 == nil }.map(\.0)
            if !gone.isEmpty { try await send(RedisCommand(["ZREM", .text(keys.bulkJobs)] + gone.map { .text($0) })) }
        }
        return jobs
    }

    /// Results in the order in which they came, the same for every gateway; see ``BulkJobStore/results(of:after:limit:)``.
    ///
    /// Of two results of one picture the later counts: its dead letter was tried again.
    public func results(of id: String, after sequence: Int, limit: Int) async throws -> [BulkResult] {
        guard BulkID.isOne(id) else { return [] }
        var results: [BulkResult] = []
        var last = max(0, sequence)
        while results.count < limit {
            let most = min(limit - results.count, 200)
            let replies = try await send([
                RedisCommand("HGET", .text(keys.record(id)), "model"),
                RedisCommand(
                    "XRANGE",
                    .text(keys.results(id)),
                    "(\(last)-0",
                    "+",
                    "COUNT",
                    .integer(most)
                ),
            ])
            let entries = (replies[1].elements ?? []).compactMap(StreamEntry.init).compactMap(KeptAnswer.init)
            guard let model = replies[0].text, let end = entries.last else { break }
            let names = try await send(
                RedisCommand(["HMGET", .text(keys.names(id))] + entries.map { .integer($0.picture) })
            )
            for (entry, name) in zip(entries, names.elements ?? []) {
                results.append(entry.result(named: name.text, model: model))
            }
            last = end.sequence
            if entries.count < most { break }
        }
        return results
    }

    /// Waits until a job has changed; see ``BulkJobStore/waitForChange(of:after:until:)``.
    ///
    /// All who wait in this process share one connection. That a job was forgotten because its time was over nobody is told.
    public func waitForChange(
        of id: String,
        after sequence: Int,
        until deadline: ContinuousClock.Instant
    ) async throws {
        guard BulkID.isOne(id) else { return }
        let record = keys.record(id)
        try await changes.wait(for: record, until: deadline) {
            let state = try await self.send(RedisCommand("HMGET", .text(record), "sequence", "finished")).elements ?? []
            guard let last = state.first?.integer else { return true }
            return last > sequence || state.last != .null
        }
    }

    /// Removes a job with all that belongs to it; see ``BulkJobStore/remove(_:)``.
    public func remove(_ id: String) async throws -> Bool {
        guard BulkID.isOne(id) else { return false }
        let parts = try await send(BulkScripts.remove(id, keys: keys)).elements?.compactMap(\.text) ?? []
        guard parts.count == 3 else { return false }
        let stream = JobStream(model: parts[0], lane: .bulk)
        // Workers leave its pictures aside from now on; what follows frees memory.
        var first: String? = parts[1]
        while let from = first {
            let reply = try? await client.send(
                BulkScripts.withdraw(id, from: stream, entries: (from, parts[2]), atMost: 200, keys: keys)
            )
            first = reply?.text.map { "(\($0)" }
        }
        return true
    }

    /// The finished job whose webhook is to be told next; see ``BulkJobStore/dueNotice(lease:)``.
    public func dueNotice(lease: Duration) async throws -> BulkNotice? {
        let reply = try await send(BulkScripts.takeNotice(lease: lease, keys: keys))
        guard let parts = reply.elements, parts.count == 2, let record = parts[0].text else { return nil }
        let id = String(record.dropFirst(keys.record("").count))
        let values = Dictionary(fields: parts[1].elements ?? [])
        guard let job = BulkJob(id: id, parts[1]), let url = values["webhook"]?.text else { return nil }
        return BulkNotice(
            job: job,
            url: url,
            attempts: values["attempts"]?.integer ?? 0,
            trace: values["traceparent"]?.text.flatMap(TraceParent.init)
        )
    }

    /// Says what became of telling a webhook; see ``BulkJobStore/settleNotice(of:as:retry:)``.
    public func settleNotice(of id: String, as state: BulkJob.Webhook, retry: Date?) async throws {
        guard BulkID.isOne(id) else { return }
        let (word, reason): (String, String) =
            switch state {
            case .waiting: ("waiting", "")
            case .delivered: ("delivered", "")
            case .givenUp(let reason): ("given_up", reason)
            }
        // Clocks of gateways need not agree with that of Redis; how long they wait does.
        let wait = state == .waiting ? retry.map { Duration.seconds($0.timeIntervalSinceNow) } ?? .zero : nil
        try await send(BulkScripts.settleNotice(of: id, state: word, reason: reason, retryIn: wait, keys: keys))
    }

    /// - Throws: ``BulkError``.
    @discardableResult
    func send(_ command: RedisCommand) async throws -> RedisReply {
        try await send([command])[0]
    }

    /// - Throws: ``BulkError``, also when one of the replies is an error.
    func send(_ commands: [RedisCommand]) async throws -> [RedisReply] {
        do {
            return try await client.send(commands).map { reply throws(RedisError) in try reply.orThrow() }
        } catch let error as RedisError {
            throw BulkError(error)
        }
    }
}

extension BulkError {
    init(_ error: RedisError) {
        if case .refused(let reason) = error, reason.hasPrefix("OOM") {
            self = .full(limit: "Redis has as much as it may hold", setting: "maxmemory")
        } else {
            self = .unavailable(reason: error.description)
        }
    }
}

extension BulkJob {
    /// `nil` when there is no such record.
    fileprivate init?(id: String, _ reply: RedisReply) {
        let values = Dictionary(fields: reply.elements ?? [])
        func date(_ milliseconds: Int) -> Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }
        guard let model = values["model"]?.text, let created = values["created"]?.integer,
            let pictures = values["pictures"]?.integer
        else { return nil }
        let finished = values["finished"]?.integer
        self.init(
            id: id,
            model: model,
            created: date(created),
            finished: finished.map(date),
            expires: finished.map { date($0 + (values["life_ms"]?.integer ?? 0)) },
            pictures: pictures,
            done: values["done"]?.integer ?? 0,
            failed: values["failed"]?.integer ?? 0,
            webhook: values["webhook_state"]?.text.map { state in
                switch state {
                case "delivered": .delivered
                case "given_up": .givenUp(reason: values["webhook_reason"]?.text ?? "")
                default: .waiting
                }
            }
        )
    }
}

/// An answer as it stands among the results of a bulk job.
private struct KeptAnswer {
    let sequence: Int
    let picture: Int
    let json: ByteBuffer

    init?(_ entry: StreamEntry) {
        let values = entry.values
        guard let sequence = entry.id.split(separator: "-").first.flatMap({ Int($0) }),
            let picture = values["job"]?.text?.split(separator: ":").last.flatMap({ Int($0) }),
            let json = values["answer"]?.bytes
        else { return nil }
        (self.sequence, self.picture, self.json) = (sequence, picture, json)
    }

    func result(named name: String?, model: String) -> BulkResult {
        let outcome = Result { try AnswerMessage(stored: json).answer(from: model) }
        return BulkResult(sequence: sequence, picture: picture, name: name, outcome: outcome)
    }
}
