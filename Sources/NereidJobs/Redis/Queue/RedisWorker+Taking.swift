// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels

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
        // Bulk jobs that came along with interactive ones: they wait as they would in Redis.
        var aside: [DeliveredJob] = []
        // Those that are not run here are not to be kept from others.
        defer { hand.release(aside) }
        while !Task.isCancelled, let model = model(named: name) {
            guard let jobs = try await nextJobs(of: model, on: connection, waits: aside.isEmpty) else { break }
            aside += jobs.filter { $0.stream.lane == .bulk }
            let first = jobs.filter { $0.stream.lane == .interactive }
            if !first.isEmpty {
                await work(on: first, of: model)
            } else if !aside.isEmpty {
                await work(on: aside, of: model)
                aside = []
            }
        }
        if !aside.isEmpty, !Task.isCancelled, let model = model(named: name) { await work(on: aside, of: model) }
    }

    /// Jobs, none when none came in time, `nil` when no more are to be taken.
    ///
    /// Bulk jobs are looked for only when no interactive one is there; both are waited for at once. What comes between these two
    /// steps may bring jobs of both.
    private func nextJobs(
        of model: ServedModel,
        on connection: RedisConnection,
        waits: Bool
    ) async throws -> [DeliveredJob]? {
        guard hand.beginReading(connection.number) else { return nil }
        var jobs: [DeliveredJob] = []
        defer { hand.endReading(connection.number, of: model.name, holding: jobs) }
        jobs = try await read([.interactive], of: model, on: connection, waits: false)
        if jobs.isEmpty, waits, !hand.isStopping {
            jobs = try await read([.interactive, .bulk], of: model, on: connection, waits: true)
        }
        return jobs
    }

    /// Jobs with the particulars of those that are run next.
    private func read(
        _ lanes: [Lane],
        of model: ServedModel,
        on connection: RedisConnection,
        waits: Bool
    ) async throws -> [DeliveredJob] {
        let streams = lanes.map { JobStream(model: model.name, lane: $0) }
        let wait: [RedisCommand.Argument] = waits ? ["BLOCK", .integer(settings.longestRead.milliseconds)] : []
        let words: [RedisCommand.Argument] =
            [
                "XREADGROUP", "GROUP", .text(QueueKeys.group), .text(name), "COUNT",
                .integer(max(1, model.vision.maxBatch)),
            ] + wait + ["STREAMS"] + streams.map { .text(keys.jobs($0)) } + streams.map { _ in ">" }
        let patience = waits ? settings.longestRead : .zero
        let (reply, jobs) = try await connection.start([RedisCommand(words)], blocking: patience).flatMap { replies in
            let jobs = self.jobs(in: replies[0], of: streams)
            let interactive = jobs.filter { $0.stream.lane == .interactive }
            let bulk = jobs.filter { $0.stream.lane == .bulk }
            let (first, later) = interactive.isEmpty ? (bulk, []) : (interactive, bulk)
            // Asked here, on the connection's own thread: another one would have to wake first, which takes time.
            return connection.start(first.questions).map { answers in
                (replies[0], first.knowing(answers) + later)
            }
        }.get()
        if isWithoutGroup(reply) {
            for stream in streams { try await makeGroup(of: stream) }
            return []
        }
        _ = try reply.orThrow()
        return jobs
    }

    private func jobs(in reply: RedisReply, of streams: [JobStream]) -> [DeliveredJob] {
        (reply.elements ?? []).flatMap { part -> [DeliveredJob] in
            guard let parts = part.elements, parts.count == 2, let key = parts[0].text,
                let stream = streams.first(where: { keys.jobs($0) == key })
            else { return [] }
            return (parts[1].elements ?? []).compactMap { DeliveredJob($0, of: stream) }
        }
    }

    /// The stream is not there, or not any more.
    private func isWithoutGroup(_ reply: RedisReply) -> Bool {
        guard case .error(let reason) = reply else { return false }
        return reason.hasPrefix("NOGROUP") || reason.hasPrefix("UNBLOCKED")
    }

    private func makeGroup(of stream: JobStream) async throws {
        let reply = try await client.send([
            RedisCommand("XGROUP", "CREATE", .text(keys.jobs(stream)), .text(QueueKeys.group), "0", "MKSTREAM")
        ])[0]
        guard case .error(let reason) = reply, !reason.hasPrefix("BUSYGROUP") else { return }
        guard reason.saysRedisIsFull else { throw RedisError.refused(reason) }
        try await client.send(QueueScripts.makeGroup(of: keys.jobs(stream)))
    }

    /// Takes jobs of workers that say nothing of them any more, interactive ones first.
    ///
    /// Each is run alone: if it is what ended the other worker, no other job has to suffer for it again.
    func takeOver(_ name: String) async {
        let streams = [Lane.interactive, .bulk].map { JobStream(model: name, lane: $0) }
        var tidied = ContinuousClock.now
        while !hand.isStopping, !Task.isCancelled, model(named: name) != nil {
            await hand.sleep(atMost: settings.pulse * 2)
            do {
                while !hand.isStopping, let model = model(named: name), let job = try await lostJob(of: streams) {
                    hand.hold(job)
                    if job.losses >= settings.deliveries {
                        await bury(job, because: .abandoned(model: name, deliveries: job.losses))
                        hand.release([job])
                    } else {
                        logger.notice(
                            "a job is taken over from a worker that has gone",
                            metadata: ["model": "\(name)", "entry": "\(job.id)", "losses": "\(job.losses)"]
                        )
                        await work(on: [job], of: model)
                    }
                }
                // Every worker asks, and the answer names every worker: not often.
                guard ContinuousClock.now - tidied > .seconds(60) else { continue }
                for stream in streams { try await forgetIdleWorkers(of: stream) }
                tidied = .now
            } catch {
                logger.debug("lost jobs can't be looked for", metadata: ["model": "\(name)", "error": "\(error)"])
            }
        }
    }

    private func lostJob(of streams: [JobStream]) async throws -> DeliveredJob? {
        for stream in streams {
            if let job = try await lostJob(of: stream) { return job }
        }
        return nil
    }

    private func lostJob(of stream: JobStream) async throws -> DeliveredJob? {
        // Redis looks at a few jobs in workers' hands at a time, and says where to look on.
        var cursor = "0-0"
        repeat {
            let words: [RedisCommand.Argument] = [
                "XAUTOCLAIM", .text(keys.jobs(stream)), .text(QueueKeys.group), .text(name),
                .integer(settings.claimAfter.milliseconds), .text(cursor), "COUNT", 1,
            ]
            let reply = try await client.send([RedisCommand(words)])[0]
            if isWithoutGroup(reply) {
                try await makeGroup(of: stream)
                return nil
            }
            let parts = try reply.orThrow().elements ?? []
            guard parts.count >= 2 else { return nil }
            if var job = parts[1].elements?.compactMap({ DeliveredJob($0, of: stream) }).first {
                job.losses = try await deliveries(of: job) - 1
                return job
            }
            cursor = parts[0].text ?? "0-0"
        } while cursor != "0-0"
        return nil
    }

    private func deliveries(of job: DeliveredJob) async throws -> Int {
        let reply = try await client.send(
            RedisCommand(
                "XPENDING",
                .text(keys.jobs(job.stream)),
                .text(QueueKeys.group),
                .text(job.id),
                .text(job.id),
                1
            )
        )
        return reply.elements?.first?.elements?.last?.integer ?? 1
    }

    /// Workers that were killed leave their names behind.
    private func forgetIdleWorkers(of stream: JobStream) async throws {
        let reply = try await client.send([
            RedisCommand("XINFO", "CONSUMERS", .text(keys.jobs(stream)), .text(QueueKeys.group))
        ])[0]
        var commands: [RedisCommand] = []
        for consumer in reply.elements ?? [] {
            let values = Dictionary(fields: consumer.elements ?? [])
            // Hands read anew every few seconds, so that nobody who is there is idle for minutes.
            if let other = values["name"]?.text, values["pending"]?.integer == 0,
                let idle = values["idle"]?.integer, idle > 600_000
            {
                commands.append(QueueScripts.forget(other, in: stream, keys: keys))
            }
        }
        if !commands.isEmpty { _ = try await client.send(commands) }
    }
}
