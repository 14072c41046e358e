// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
public import NereidImaging
import NereidModels
public import ServiceLifecycle
import Synchronization

/// The queue that gateways and workers on many machines share, in Redis. This is a gateway's side of it; workers are
/// ``RedisWorker``s, or programs in other languages that keep to docs/queue.md.
///
/// It is a service: while ``run()`` goes on, answers arrive and ``catalogue`` follows the workers.
public final class RedisQueue: JobQueue, Service {
    let client: RedisClient
    let settings: RedisQueueSettings
    let logger: Logger
    /// Tells this gateway from all others, for ever.
    let name: String
    let waiters = WaitingJobs()
    let snapshot = Mutex(Snapshot())
    private let paces = Mutex<[String: OwnPace]>([:])
    private let limits: QueueLimits
    private let imaging: ImagingPool
    /// Those who have announced what can't be used: each is told of once.
    let complaints = Mutex<Set<String>>([])
    /// How long taking a job back may take that nobody waits for any more.
    private static let withdrawalPatience = Duration.milliseconds(500)
    private let decoding: DecodingLimits
    private let appliesOrientation: Bool

    /// What was last seen of the queue.
    struct Snapshot: Sendable {
        var catalogue = RemoteCatalogue.empty
        var loads: [JobStream: QueueLoad] = [:]
        /// Why the queue can't be looked at.
        var obstacle: String? = "the queue has not been reached yet"
    }

    /// Makes a gateway's side of a queue.
    ///
    /// - Parameters:
    ///   - address: where Redis is.
    ///   - limits: the most that may wait in front of each model in the lane ``Lane/interactive``, of all gateways together. Who
    ///     brings jobs of the lane ``Lane/bulk`` bounds them.
    ///   - settings: how the queue is kept.
    ///   - imaging: the threads that decode the pictures that are to be drawn on.
    ///   - decoding: what such a picture may cost.
    ///   - appliesOrientation: whether such pictures are turned upright, as on the workers.
    ///   - logger: told of lost connections and of workers that come and go.
    public init(
        _ address: RedisAddress,
        limits: QueueLimits = .init(),
        settings: RedisQueueSettings = .init(),
        imaging: ImagingPool,
        decoding: DecodingLimits = .init(),
        appliesOrientation: Bool = true,
        logger: Logger
    ) {
        client = RedisClient(address, logger: logger)
        name = UniqueName.make()
        self.limits = limits
        self.settings = settings
        self.imaging = imaging
        self.decoding = decoding
        self.appliesOrientation = appliesOrientation
        self.logger = logger
    }

    /// The models that workers serve at this moment.
    public var catalogue: RemoteCatalogue { snapshot.withLock { $0.catalogue } }

    /// Why the queue can't be used at this moment; `nil` when it can.
    public var obstacle: String? { snapshot.withLock { $0.obstacle } }

    /// How a model's jobs of the lane ``Lane/interactive`` stood when the queue was last looked at.
    public func load(of model: String) -> QueueLoad {
        load(of: model, in: .interactive)
    }

    /// How a model's jobs of one lane stood when the queue was last looked at.
    public func load(of model: String, in lane: Lane) -> QueueLoad {
        snapshot.withLock { $0.loads[JobStream(model: model, lane: lane)] ?? .idle }
    }

    /// The time until half of what waits for a model is done; see ``JobQueue/timeUntilRoom(for:)``.
    ///
    /// It is told from this gateway's own jobs: their share of the queue is their share of the answers too.
    public func timeUntilRoom(for model: String) -> Duration? {
        paces.withLock { $0[model]?.timeUntilRoom(at: .now) }
    }

    /// Puts a job in the stream of its model and waits for a worker's answer; see ``JobQueue/submit(_:)``.
    ///
    /// A job that a worker has begun is not stopped when its requester gives up; nobody reads its answer then.
    ///
    /// - Throws: also ``JobError/queueUnreachable(reason:)``, ``JobError/workerFailed(model:reason:)`` and
    ///   ``JobError/abandoned(model:deliveries:)``.
    public func submit(_ job: Job) async throws -> JobAnswer {
        let left = job.deadline - .now
        guard left > .zero else { throw JobError.deadlinePassed(model: job.model.name, hadBegun: false) }
        let ticket = waiters.makeTicket(prefix: name)
        let entry = JobEntry(job, ticket: ticket, timeout: left, reply: keys.answers(to: name), keys: keys)
        let stream = JobStream(model: job.model.name, lane: job.lane)
        let model = stream.model
        let alarm = Task {
            try await Task.sleep(until: job.deadline, clock: .continuous)
            await self.giveUp(ticket, entry, in: stream, isLate: true)
        }
        defer { alarm.cancel() }
        paces.withLock { $0[model, default: OwnPace()].begins(at: .now) }
        var isDone = false
        defer { paces.withLock { $0[model, default: OwnPace()].ends(isDone: isDone, at: .now) } }
        let json = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                waiters.await(ticket, continuation)
                // A cancellation or an alarm that came before the ticket was known has found nothing to give up.
                guard !Task.isCancelled else { return waiters.answer(ticket, .failure(CancellationError())) }
                guard job.deadline > .now else {
                    return waiters.answer(ticket, .failure(JobError.deadlinePassed(model: model, hadBegun: false)))
                }
                Task { await add(entry, ticket, job, to: stream) }
            }
        } onCancel: {
            Task { await giveUp(ticket, entry, in: stream, isLate: false) }
        }
        isDone = true
        do {
            let bounds = AnswerBounds(pictures: decoding, options: job.options)
            var answer = try await AnswerMessage.read(json, from: model, within: bounds)
            if job.keepsPicture {
                let picture = try await value(before: job.deadline) { try await self.picture(of: job) }
                guard let picture else { throw JobError.deadlinePassed(model: model, hadBegun: true) }
                guard picture.size == answer.size else {
                    let reason = "it is of a picture of \(answer.size), but the picture has \(picture.size)"
                    throw JobError.unusableAnswer(model: model, reason: reason)
                }
                answer.picture = picture
            }
            return answer
        } catch JobError.unusableAnswer(let model, let reason) {
            logger.error(
                "a worker's answer can't be used",
                metadata: ["model": "\(model)", "request": "\(job.id)", "reason": "\(reason)"]
            )
            throw JobError.unusableAnswer(model: model, reason: reason)
        }
    }

    var keys: QueueKeys { settings.keys }

    private func add(_ entry: JobEntry, _ ticket: String, _ job: Job, to stream: JobStream) async {
        let model = stream.model
        let limits = stream.lane == .interactive ? limits : QueueLimits(jobs: .max, bytes: .max)
        do {
            var commands: [RedisCommand] = []
            if let key = entry.pictureKey {
                // It outlives the job's deadline, for a worker that has just begun.
                let life = (entry.timeout ?? .zero) + settings.answerLife
                commands.append(RedisCommand("SET", .text(key), .bytes(job.picture), "PX", .integer(life.milliseconds)))
            }
            commands.append(QueueScripts.add(entry, to: stream, limits: limits, keys: keys))
            let replies = try await client.send(commands)
            for reply in replies {
                guard case .error(let reason) = reply else { continue }
                if let key = entry.pictureKey { _ = try? await client.send(RedisCommand("UNLINK", .text(key))) }
                guard reason.saysRedisIsFull else { throw RedisError.refused(reason) }
                throw JobError.redisFull(model: model)
            }
            switch replies[replies.count - 1] {
            case .bytes(let id):
                if !waiters.admitted(ticket, as: String(buffer: id)) {
                    await withdraw(entry, id: String(buffer: id), from: stream)
                }
            case .status("bytes"):
                throw JobError.queueFull(
                    model: model,
                    limit: "at most \(limits.bytes) bytes of pictures may wait",
                    setting: "queue_bytes"
                )
            default:
                throw JobError.queueFull(model: model, limit: "at most \(limits.jobs) may wait", setting: "queue_jobs")
            }
        } catch let error as RedisError {
            waiters.answer(ticket, .failure(JobError.queueUnreachable(reason: error.description)))
        } catch {
            waiters.answer(ticket, .failure(error))
        }
    }

    /// Nobody waits any more: the job is taken out of the queue if no worker has it.
    private func giveUp(_ ticket: String, _ entry: JobEntry, in stream: JobStream, isLate: Bool) async {
        guard let waiter = waiters.remove(ticket) else { return }
        var hadBegun = false
        if !isLate { waiter.continuation.resume(throwing: CancellationError()) }
        if let id = waiter.id { hadBegun = await !withdraw(entry, id: id, from: stream) }
        if isLate {
            waiter.continuation.resume(
                throwing: JobError.deadlinePassed(model: stream.model, hadBegun: hadBegun)
            )
        }
    }

    /// Whether the job was taken out of the queue before a worker had it, as far as can be told.
    ///
    /// A Redis that does not reply is not waited for: the requester's time is over.
    @discardableResult
    private func withdraw(_ entry: JobEntry, id: String, from stream: JobStream) async -> Bool {
        let command = QueueScripts.withdraw(entry, id: id, from: stream, keys: keys)
        let client = client
        let reply = try? await value(before: .now + Self.withdrawalPatience) { try await client.send(command) }
        return reply?.integer == 1
    }

    /// The picture of a job that is to be drawn on: workers send what they saw, not pixels.
    private func picture(of job: Job) async throws -> Picture {
        let ignoresOrientation =
            switch job.model {
            case .loaded(let model): model.vision.ignoresOrientation
            case .remote(let model): model.ignoresOrientation
            }
        let (bytes, limits, turns) = (job.picture, decoding, appliesOrientation && !ignoresOrientation)
        return try await imaging.decode(
            bytes,
            limits: limits,
            appliesOrientation: turns,
            isDrawnOn: true,
            for: job.model.name
        )
    }
}

extension JobEntry {
    fileprivate init(_ job: Job, ticket: String, timeout: Duration, reply: String, keys: QueueKeys) {
        let bytes = job.picture.readableBytes
        self.init(
            job: ticket,
            request: job.id,
            trace: job.trace,
            options: job.options,
            timeout: min(timeout, .seconds(24 * 3600)),
            reply: reply,
            bytes: bytes,
            picture: bytes <= Self.mostInlineBytes ? .inline(job.picture) : .key(keys.picture(of: ticket))
        )
    }
}
