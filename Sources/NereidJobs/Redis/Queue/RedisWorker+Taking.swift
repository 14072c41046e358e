// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels

/// An entry of a stream in the hands of a worker.
struct DeliveredJob: Sendable {
    let id: String
    let fields: [RedisReply]

    /// `nil` when it is not there any more.
    init?(_ reply: RedisReply) {
        guard let parts = reply.elements, parts.count == 2, let id = parts[0].text, let fields = parts[1].elements
        else { return nil }
        (self.id, self.fields) = (id, fields)
    }

    /// When it was added, by Redis' clock, in milliseconds since 1970.
    var added: Int? { id.split(separator: "-").first.flatMap { Int($0) } }
}

extension RedisWorker {
    /// One hand's life: it waits for jobs of a model, and runs them.
    func takeJobs(of name: String) async {
        var backOff = BackOff()
        while !hand.isStopping, !Task.isCancelled, model(named: name) != nil {
            do {
                let connection = try await client.ownConnection()
                backOff.reset()
                try await withTaskCancellationHandler {
                    defer { connection.close() }
                    try await takeJobs(of: name, on: connection)
                } onCancel: {
                    connection.close()
                }
            } catch {
                if hand.isStopping || Task.isCancelled { return }
                let wait = backOff.next()
                logger.debug(
                    "jobs can't be taken",
                    metadata: ["model": "\(name)", "error": "\(error)", "again": "\(wait)"]
                )
                await hand.sleep(atMost: wait)
            }
        }
    }

    private func takeJobs(of name: String, on connection: RedisConnection) async throws {
        while !Task.isCancelled, let model = model(named: name) {
            guard let jobs = try await nextJobs(of: model, on: connection) else { return }
            if !jobs.isEmpty { await work(on: jobs, of: model) }
        }
    }

    /// Jobs, none when none came in time, `nil` when no more are to be taken.
    private func nextJobs(of model: ServedModel, on connection: RedisConnection) async throws -> [DeliveredJob]? {
        guard hand.beginReading(connection.number) else { return nil }
        var jobs: [DeliveredJob] = []
        defer { hand.endReading(connection.number, holding: jobs.map(\.id), of: model.name) }
        let reply = try await connection.send(
            [
                RedisCommand(
                    "XREADGROUP",
                    "GROUP",
                    .text(QueueKeys.group),
                    .text(name),
                    "COUNT",
                    .integer(max(1, model.vision.maxBatch)),
                    "BLOCK",
                    .integer(settings.longestRead.milliseconds),
                    "STREAMS",
                    .text(keys.jobs(of: model.name)),
                    ">"
                )
            ],
            blocking: settings.longestRead
        )[0]
        if isWithoutGroup(reply) {
            try await makeGroup(of: model.name)
            return []
        }
        jobs = (try reply.orThrow().elements?.first?.elements?.last?.elements ?? []).compactMap(DeliveredJob.init)
        return jobs
    }

    /// The stream is not there, or not any more.
    private func isWithoutGroup(_ reply: RedisReply) -> Bool {
        guard case .error(let reason) = reply else { return false }
        return reason.hasPrefix("NOGROUP") || reason.hasPrefix("UNBLOCKED")
    }

    private func makeGroup(of model: String) async throws {
        let reply = try await client.send([
            RedisCommand("XGROUP", "CREATE", .text(keys.jobs(of: model)), .text(QueueKeys.group), "0", "MKSTREAM")
        ])[0]
        if case .error(let reason) = reply, !reason.hasPrefix("BUSYGROUP") { throw RedisError.refused(reason) }
    }

    /// Takes jobs of workers that say nothing of them any more.
    ///
    /// Each is run alone: if it is what ended the other worker, no other job has to suffer for it again.
    func takeOver(_ name: String) async {
        while !hand.isStopping, !Task.isCancelled, model(named: name) != nil {
            await hand.sleep(atMost: settings.pulse * 2)
            do {
                while !hand.isStopping, let model = model(named: name), let job = try await lostJob(of: name) {
                    let deliveries = try await deliveries(of: job, model: name)
                    hand.hold(job.id, of: name)
                    if deliveries > settings.deliveries {
                        await bury(job, of: name, because: .abandoned(model: name, deliveries: settings.deliveries))
                        hand.release([job.id], of: name)
                    } else {
                        logger.notice(
                            "a job is taken over from a worker that has gone",
                            metadata: ["model": "\(name)", "entry": "\(job.id)", "delivery": "\(deliveries)"]
                        )
                        await work(on: [job], of: model)
                    }
                }
                try await forgetIdleWorkers(of: name)
            } catch {
                logger.debug("lost jobs can't be looked for", metadata: ["model": "\(name)", "error": "\(error)"])
            }
        }
    }

    private func lostJob(of model: String) async throws -> DeliveredJob? {
        // Redis looks at a few jobs in workers' hands at a time, and says where to look on.
        var cursor = "0-0"
        repeat {
            let words: [RedisCommand.Argument] = [
                "XAUTOCLAIM", .text(keys.jobs(of: model)), .text(QueueKeys.group), .text(name),
                .integer(settings.claimAfter.milliseconds), .text(cursor), "COUNT", 1,
            ]
            let reply = try await client.send([RedisCommand(words)])[0]
            if isWithoutGroup(reply) {
                try await makeGroup(of: model)
                return nil
            }
            let parts = try reply.orThrow().elements ?? []
            guard parts.count >= 2 else { return nil }
            if let job = parts[1].elements?.compactMap(DeliveredJob.init).first { return job }
            cursor = parts[0].text ?? "0-0"
        } while cursor != "0-0"
        return nil
    }

    private func deliveries(of job: DeliveredJob, model: String) async throws -> Int {
        let reply = try await client.send(
            RedisCommand(
                "XPENDING",
                .text(keys.jobs(of: model)),
                .text(QueueKeys.group),
                .text(job.id),
                .text(job.id),
                1
            )
        )
        return reply.elements?.first?.elements?.last?.integer ?? 1
    }

    /// Workers that were killed leave their names behind.
    private func forgetIdleWorkers(of model: String) async throws {
        let reply = try await client.send([
            RedisCommand("XINFO", "CONSUMERS", .text(keys.jobs(of: model)), .text(QueueKeys.group))
        ])[0]
        var commands: [RedisCommand] = []
        for consumer in reply.elements ?? [] {
            let fields = consumer.elements ?? []
            var values: [String: RedisReply] = [:]
            for index in stride(from: 0, to: fields.count - 1, by: 2) {
                if let field = fields[index].text { values[field] = fields[index + 1] }
            }
            // Hands read anew every few seconds, so that nobody who is there is idle for minutes.
            if let other = values["name"]?.text, values["pending"]?.integer == 0,
                let idle = values["idle"]?.integer, idle > 600_000
            {
                commands.append(QueueScripts.forget(other, model: model, keys: keys))
            }
        }
        if !commands.isEmpty { _ = try await client.send(commands) }
    }
}
