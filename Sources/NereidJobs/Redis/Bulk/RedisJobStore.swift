// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation
public import Logging
import NIOCore
public import NereidImaging
import NIOPosix

/// Bulk jobs in Redis, beside the queue that their pictures wait in: any gateway of the queue sees them, none has to stay alive
/// for them to be done, and workers count their answers. docs/queue.md describes the keys.
public final class RedisJobStore: BulkJobStore {
    let client: RedisClient
    let settings: RedisQueueSettings
    let limits: BulkLimits
    /// How long Redis may take to reply to one step of a call.
    let timeout: Duration
    private let pictures: DecodingLimits
    private let logger: Logger
    private let changes: BulkChanges

    /// Makes a store.
    ///
    /// - Parameters:
    ///   - address: where Redis is.
    ///   - limits: how much waits, and how long finished jobs are kept: what this store accepts keeps to them.
    ///   - pictures: what a picture may be at most: answers for larger ones are not used.
    ///   - timeout: how long Redis may take to reply to one step of a call; no call waits longer for a server that hangs.
    ///   - settings: how the queue is kept.
    ///   - logger: told of lost connections, and of answers that can't be used.
    public init(
        _ address: RedisAddress,
        limits: BulkLimits = .init(),
        pictures: DecodingLimits = .init(),
        timeout: Duration = .seconds(30),
        settings: RedisQueueSettings = .init(),
        logger: Logger
    ) {
        // Not the connection of those who wait: orders may be large.
        client = RedisClient(address, logger: logger)
        changes = BulkChanges(client, key: settings.keys.changes)
        self.limits = limits
        self.pictures = pictures
        self.timeout = timeout
        self.settings = settings
        self.logger = logger
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

    /// Results in the order in which they came, the same for every gateway; see
    /// ``BulkJobStore/results(of:after:limit:bytes:)``.
    ///
    /// Of two results of one picture the later counts: its dead letter was tried again.
    public func results(of id: String, after sequence: Int, limit: Int, bytes: Int) async throws -> [BulkResult] {
        guard BulkID.isOne(id) else { return [] }
        var (results, left): ([BulkResult], Int) = ([], bytes)
        var last = "\(max(0, sequence))-0"
        while results.count < limit, left > 0 {
            let most = min(limit - results.count, 200)
            let page = BulkScripts.results(of: id, after: last, limit: most, bytes: min(left, 8 << 20), keys: keys)
            let replies = try await send([RedisCommand("HGET", .text(keys.record(id)), "model"), page])
            guard let model = replies[0].text, let entries = replies[1].elements,
                let end = entries.last?.elements?.first?.text
            else { break }
            let kept = entries.compactMap(KeptAnswer.init)
            let bounds = AnswerBounds(pictures: pictures)
            // Masks take time.
            results += try await NIOThreadPool.singleton.runIfActive {
                kept.map { $0.result(of: model, within: bounds) }
            }
            for answer in kept { left -= answer.json.readableBytes }
            last = end
            try Task.checkCancellation()
        }
        for result in results {
            guard case .failure(let error as JobError) = result.outcome, case .unusableAnswer = error else { continue }
            logger.warning("a worker's answer can't be used", metadata: ["job": "\(id)", "reason": "\(error)"])
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
            let reply = try? await send(
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
            return try await reply(to: commands)
        } catch let error as RedisError {
            throw BulkError(error)
        }
    }

    /// The replies, if they come in time; a server that hangs is not waited for.
    ///
    /// - Throws: ``RedisError``, also when one of the replies is an error; `CancellationError`.
    func reply(to commands: [RedisCommand]) async throws -> [RedisReply] {
        let client = client
        let replies = try await value(before: .now + timeout) { try await client.send(commands) }
        guard let replies else { throw RedisError.timedOut(timeout) }
        return try replies.map { reply throws(RedisError) in try reply.orThrow() }
    }
}

extension BulkError {
    init(_ error: RedisError) {
        if error.isFull {
            self = .full(limit: "Redis has as much as it may hold", setting: "maxmemory")
        } else {
            self = .unavailable(reason: error.description)
        }
    }
}

extension BulkJob {
    /// In the year 9999: later ones have no form in ISO 8601.
    private static let lastMillisecond = 253_402_300_799_000

    /// `nil` when there is no such record.
    fileprivate init?(id: String, _ reply: RedisReply) {
        let values = Dictionary(fields: reply.elements ?? [])
        // Whoever may write to Redis may write any number.
        func date(_ milliseconds: Int) -> Date { Date(milliseconds: min(max(0, milliseconds), Self.lastMillisecond)) }
        guard let model = values["model"]?.text, let created = values["created"]?.integer,
            let pictures = values["pictures"]?.integer
        else { return nil }
        let finished = values["finished"]?.integer
        self.init(
            id: id,
            model: model,
            created: date(created),
            finished: finished.map(date),
            expires: finished.map { date($0.addingReportingOverflow(values["life_ms"]?.integer ?? 0).partialValue) },
            pictures: max(0, pictures),
            done: max(0, values["done"]?.integer ?? 0),
            failed: max(0, values["failed"]?.integer ?? 0),
            webhook: values["webhook_state"]?.text.map { state in
                switch state {
                case "delivered": .delivered
                case "given_up":
                    .givenUp(reason: String((values["webhook_reason"]?.text ?? "").prefix(AnswerBounds.reasonLength)))
                default: .waiting
                }
            }
        )
    }
}

/// An answer as it stands among the results of a bulk job.
private struct KeptAnswer: Sendable {
    let sequence: Int
    let picture: Int
    let name: String?
    /// Empty when it was too large to be fetched.
    let json: ByteBuffer

    /// `nil` when the reply is none of ``BulkScripts/results(of:after:limit:bytes:keys:)``, or of no picture.
    init?(_ reply: RedisReply) {
        guard let parts = reply.elements, parts.count == 4,
            let sequence = parts[0].text?.split(separator: "-").first.flatMap({ Int($0) }),
            let picture = parts[1].text?.split(separator: ":").last.flatMap({ Int($0) }), let json = parts[2].bytes
        else { return nil }
        (self.sequence, self.picture, name, self.json) = (sequence, picture, parts[3].text, json)
    }

    func result(of model: String, within bounds: AnswerBounds) -> BulkResult {
        let outcome = Result { try AnswerMessage.answer(in: json, from: model, within: bounds) }
        return BulkResult(sequence: sequence, picture: picture, name: name, outcome: outcome)
    }
}
