// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidModels

extension RedisWorker {
    /// Runs jobs of one model, stores their answers and lets go of them.
    func work(on jobs: [DeliveredJob], of model: ServedModel) async {
        defer { hand.release(jobs.map(\.id), of: model.name) }
        let ready: [ReadyJob]
        do {
            ready = try await prepare(jobs, for: model)
        } catch {
            // They stay with this worker's name until another takes them over.
            return logger.warning("jobs can't be begun", metadata: ["model": "\(model.name)", "error": "\(error)"])
        }
        let answers = await worker.run(ready.map(\.job))
        // Who is stopped in the middle has no answers; other workers will.
        guard !Task.isCancelled else { return }
        for (ready, answer) in zip(ready, answers) {
            await store(answer.map { $0.waited(ready.waited) }, entry: ready.entry, id: ready.id, of: model.name)
        }
    }

    /// A job whose picture is here.
    private struct ReadyJob {
        let id: String
        let entry: JobEntry
        let job: Job
        /// How long it stood in the queue.
        let waited: Duration
    }

    /// Fetches pictures. Jobs that can't be begun are answered at once.
    private func prepare(_ jobs: [DeliveredJob], for model: ServedModel) async throws -> [ReadyJob] {
        var entries: [(DeliveredJob, JobEntry)] = []
        for job in jobs {
            do throws(MalformedEntry) {
                entries.append((job, try JobEntry(fields: job.fields)))
            } catch {
                await bury(job, of: model.name, because: .workerFailed(model: model.name, reason: "\(error)"))
            }
        }
        guard !entries.isEmpty else { return [] }
        let fetches = entries.compactMap { $0.1.pictureKey.map { RedisCommand("GET", .text($0)) } }
        // Redis' own clock counts: those of gateways and workers need not agree.
        var replies = try await client.send([RedisCommand("TIME")] + fetches)[...]
        let now = replies.removeFirst().elements?.compactMap(\.integer) ?? []
        var ready: [ReadyJob] = []
        for (job, entry) in entries {
            let picture: ByteBuffer?
            switch entry.picture {
            case .inline(let bytes): picture = bytes
            case .key: picture = replies.removeFirst().bytes
            }
            let waited =
                now.count == 2 ? job.added.map { waiting(since: $0, seconds: now[0], microseconds: now[1]) } : nil
            let left = entry.timeout - (waited ?? .zero)
            if left <= .zero {
                await store(
                    .failure(JobError.deadlinePassed(model: model.name, hadBegun: false)),
                    entry: entry,
                    id: job.id,
                    of: model.name
                )
            } else if let picture {
                let work = Job(
                    id: entry.request,
                    model: model,
                    picture: picture,
                    options: entry.options,
                    deadline: .now + left
                )
                ready.append(ReadyJob(id: job.id, entry: entry, job: work, waited: waited ?? .zero))
            } else {
                let reason = "its picture is not in Redis any more"
                await store(
                    .failure(JobError.workerFailed(model: model.name, reason: reason)),
                    entry: entry,
                    id: job.id,
                    of: model.name
                )
            }
        }
        return ready
    }

    private func waiting(since added: Int, seconds: Int, microseconds: Int) -> Duration {
        let now = Duration.seconds(seconds) + .microseconds(microseconds)
        return max(.zero, now - .milliseconds(added))
    }

    /// Stores an answer; tries again while Redis can't be reached, for as long as somebody may wait for it.
    private func store(_ answer: Result<JobAnswer, any Error>, entry: JobEntry, id: String, of model: String) async {
        let command = QueueScripts.finish(
            entry,
            id: id,
            model: model,
            answer: message(answer),
            keptFor: settings.answerLife,
            keys: keys
        )
        await insist(on: command, model: model, id: id)
    }

    private func message(_ answer: Result<JobAnswer, any Error>) -> ByteBuffer {
        do {
            switch answer {
            case .success(let answer): return try AnswerMessage(answer).json()
            case .failure(let error): return try AnswerMessage(FailureMessage(error)).json()
            }
        } catch {
            return ByteBuffer(string: #"{"error":{"code":"failed","detail":"its numbers have no form in JSON"}}"#)
        }
    }

    /// Moves a job to the dead letters, and tells its requester.
    func bury(_ job: DeliveredJob, of model: String, because error: JobError) async {
        let entry = (try? JobEntry(fields: job.fields)) ?? JobEntry(unreadable: job)
        logger.error(
            "a job is given up",
            metadata: ["model": "\(model)", "entry": "\(job.id)", "request": "\(entry.request)", "error": "\(error)"]
        )
        let command = QueueScripts.bury(
            entry,
            id: job.id,
            model: model,
            reason: error.description,
            answer: message(.failure(error)),
            keptFor: settings.answerLife,
            lettersKeptFor: settings.deadLife,
            keys: keys
        )
        await insist(on: command, model: model, id: job.id)
    }

    /// Sends what may be sent twice until it has arrived.
    private func insist(on command: RedisCommand, model: String, id: String) async {
        var backOff = BackOff()
        let end = ContinuousClock.now + .seconds(30)
        while true {
            do {
                try await client.send(command)
                return
            } catch {
                let mayPass = (error as? RedisError)?.mayPass ?? false
                guard mayPass, ContinuousClock.now < end, !Task.isCancelled else {
                    return logger.error(
                        "an answer can't be stored; another worker will do the job again",
                        metadata: ["model": "\(model)", "entry": "\(id)", "error": "\(error)"]
                    )
                }
                try? await Task.sleep(for: backOff.next())
            }
        }
    }
}

extension JobEntry {
    /// What can be told of an entry that is no job.
    fileprivate init(unreadable job: DeliveredJob) {
        var values: [String: String] = [:]
        for index in stride(from: 0, to: job.fields.count - 1, by: 2) {
            if let name = job.fields[index].text { values[name] = job.fields[index + 1].text }
        }
        self.init(
            job: values["job"] ?? job.id,
            request: values["request"] ?? "",
            options: .init(),
            timeout: .zero,
            reply: values["reply"],
            bytes: values["bytes"].flatMap(Int.init) ?? 0,
            picture: values["picture_key"].map { .key($0) } ?? .inline(ByteBuffer())
        )
    }
}
