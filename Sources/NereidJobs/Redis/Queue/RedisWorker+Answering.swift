// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging
import NIOCore
import NereidModels

extension RedisWorker {
    /// Runs jobs of one model, stores their answers and lets go of them.
    func work(on jobs: [DeliveredJob], of model: ServedModel) async {
        defer { hand.release(jobs) }
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
            log(answer, to: ready.entry, of: model.name)
            await store(answer.map { $0.waited(ready.waited) }, to: ready.delivery, entry: ready.entry)
        }
    }

    /// One line for each job, as detailed as one asks for: the gateway has one for the request.
    private func log(_ answer: Result<JobAnswer, any Error>, to entry: JobEntry, of model: String) {
        var metadata = entry.logged.merging(["model": "\(model)"]) { $1 }
        switch answer {
        case .success(let answer):
            metadata["detections"] = "\(answer.detections.count)"
            logger.debug("job answered", metadata: metadata)
        case .failure(let error):
            metadata["error"] = "\(error)"
            logger.info("job failed", metadata: metadata)
        }
    }

    /// A job whose picture is here.
    private struct ReadyJob {
        let delivery: DeliveredJob
        let entry: JobEntry
        let job: Job
        /// How long it stood in the queue.
        let waited: Duration
    }

    /// Fetches the pictures that have not come along. Jobs that can't be begun are answered at once.
    private func prepare(_ jobs: [DeliveredJob], for model: ServedModel) async throws -> [ReadyJob] {
        var jobs = jobs
        // Those of one batch were asked for together, or none was.
        if jobs.allSatisfy({ $0.particulars == nil }) { jobs = jobs.knowing(try await client.send(jobs.questions)) }
        var ready: [ReadyJob] = []
        for delivery in jobs {
            let entry: JobEntry
            do {
                entry = try delivery.entry.get()
            } catch {
                await bury(delivery, because: .workerFailed(model: model.name, reason: "\(error)"))
                continue
            }
            guard let particulars = delivery.particulars else { continue }
            let left = entry.timeout.map { $0 - particulars.waited }
            if !particulars.isWanted {
                // Its bulk job was deleted: storing an answer only removes it.
                await store(.failure(CancellationError()), to: delivery, entry: entry)
            } else if let left, left <= .zero {
                await giveUpLate(delivery, entry, of: model.name)
            } else if let picture = particulars.picture {
                let work = Job(
                    id: entry.request,
                    model: model,
                    picture: picture,
                    options: entry.options,
                    deadline: .now + (left ?? settings.bulkPatience),
                    lane: delivery.stream.lane,
                    trace: entry.trace
                )
                ready.append(ReadyJob(delivery: delivery, entry: entry, job: work, waited: particulars.waited))
            } else {
                let reason = "its picture is not in Redis any more"
                await store(
                    .failure(JobError.workerFailed(model: model.name, reason: reason)),
                    to: delivery,
                    entry: entry
                )
            }
        }
        return ready
    }

    /// A job whose deadline has passed is not run. One that two workers or more have ended with is kept for people to look at:
    /// a short deadline is not to hide a picture that ends workers. One end alone proves nothing.
    private func giveUpLate(_ delivery: DeliveredJob, _ entry: JobEntry, of model: String) async {
        if delivery.losses >= 2 {
            await bury(delivery, because: .abandoned(model: model, deliveries: delivery.losses))
        } else {
            let error = JobError.deadlinePassed(model: model, hadBegun: false)
            await store(.failure(error), to: delivery, entry: entry)
        }
    }

    /// Stores an answer; tries again while Redis can't be reached, for as long as somebody may wait for it.
    private func store(
        _ answer: Result<JobAnswer, any Error>,
        to delivery: DeliveredJob,
        entry: JobEntry
    ) async {
        let command = QueueScripts.finish(
            entry,
            id: delivery.id,
            in: delivery.stream,
            answer: await stored(answer, model: delivery.stream.model),
            keptFor: settings.answerLife,
            keys: keys
        )
        await insist(on: command, for: delivery)
    }

    private func stored(_ answer: Result<JobAnswer, any Error>, model: String) async -> StoredAnswer {
        do {
            switch answer {
            case .success(let answer) where answer.isLong:
                let json = try await worker.imaging.run(for: model) { _ in try AnswerMessage(answer).json() }
                return StoredAnswer(json: json, isError: false)
            case .success(let answer):
                return StoredAnswer(json: try AnswerMessage(answer).json(), isError: false)
            case .failure(let error):
                return StoredAnswer(json: try AnswerMessage(FailureMessage(error)).json(), isError: true)
            }
        } catch {
            return StoredAnswer(
                json: ByteBuffer(string: #"{"error":{"code":"failed","detail":"its numbers have no form in JSON"}}"#),
                isError: true
            )
        }
    }

    /// Moves a job to the dead letters, and tells its requester.
    func bury(_ job: DeliveredJob, because error: JobError) async {
        let entry = (try? job.entry.get()) ?? JobEntry(unreadable: job)
        logger.error(
            "a job is given up",
            metadata: entry.logged.merging(
                ["model": "\(job.stream.model)", "entry": "\(job.id)", "error": "\(error)"]
            ) { $1 }
        )
        let command = QueueScripts.bury(
            entry,
            id: job.id,
            in: job.stream,
            reason: error.description,
            answer: await stored(.failure(error), model: job.stream.model),
            keptFor: settings.answerLife,
            lettersKeptFor: settings.deadLife,
            keys: keys
        )
        await insist(on: command, for: job)
    }

    /// Sends what may be sent twice until it has arrived.
    private func insist(on command: RedisCommand, for job: DeliveredJob) async {
        var backOff = BackOff()
        let end = ContinuousClock.now + .seconds(30)
        while true {
            do {
                try await client.send(command)
                return
            } catch {
                let mayPass = (error as? RedisError).map { $0.mayPass || $0.isFull } ?? false
                guard mayPass, ContinuousClock.now < end, !Task.isCancelled else {
                    return logger.error(
                        "an answer can't be stored; another worker will do the job again",
                        metadata: ["model": "\(job.stream.model)", "entry": "\(job.id)", "error": "\(error)"]
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
        let values = Dictionary(fields: job.fields)
        self.init(
            job: values["job"]?.text ?? job.id,
            request: values["request"]?.text ?? "",
            options: .init(),
            reply: values["reply"]?.text,
            record: values["record"]?.text,
            bytes: values["bytes"]?.integer ?? 0,
            picture: values["picture_key"]?.text.map { .key($0) } ?? .inline(ByteBuffer())
        )
    }
}

extension JobEntry {
    /// What a log line says of the request that it belongs to.
    var logged: Logger.Metadata {
        var metadata: Logger.Metadata = ["request": "\(request)"]
        if let trace { metadata["trace_id"] = "\(trace.traceID)" }
        return metadata
    }
}
