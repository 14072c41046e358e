// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels
import Synchronization

/// The queue within one process: a bounded line in front of each model, and workers that come when there is work.
///
/// For each model there are as many workers as its session has instances, and one more, so that the next picture is decoded
/// while the engine is busy. A free worker takes jobs of the lane ``Lane/bulk`` only when no others wait.
public final class EmbeddedQueue: JobQueue {
    private let worker: Worker
    private let limits: QueueLimits
    private let lines = Mutex<[String: WaitingLine<Ticket>]>([:])
    /// How fast each model's jobs are done. Models are configured, so that there are few.
    private let rates = Mutex<[String: CompletionRate]>([:])
    private let lastNumber = Atomic<UInt64>(0)

    /// Makes a queue.
    ///
    /// - Parameters:
    ///   - worker: runs what the queue holds.
    ///   - limits: the most that may wait in front of each model.
    public init(worker: Worker, limits: QueueLimits = .init()) {
        self.worker = worker
        self.limits = limits
    }

    /// How a model's jobs stand at this moment.
    public func load(of model: String) -> QueueLoad {
        lines.withLock { $0[model]?.load ?? .idle }
    }

    /// The time until half of what waits for a model is done; see ``JobQueue/timeUntilRoom(for:)``.
    public func timeUntilRoom(for model: String) -> Duration? {
        let waiting = load(of: model).waiting
        return rates.withLock { $0[model]?.time(for: (waiting + 1) / 2, at: .now) }
    }

    /// Puts a job in the line of its model and waits for its answer; see ``JobQueue/submit(_:)``.
    ///
    /// Of models that are not loaded in this process it knows nothing.
    public func submit(_ job: Job) async throws -> JobAnswer {
        guard case .loaded(let model) = job.model else { throw JobError.notLoadedHere(model: job.model.name) }
        let ticket = Ticket(number: lastNumber.wrappingAdd(1, ordering: .relaxed).newValue, job: job, model: model)
        let alarm = Task { [weak self] in
            try await Task.sleep(until: job.deadline, clock: .continuous)
            self?.withdraw(ticket) { .deadlinePassed(model: job.model.name, hadBegun: $0) }
        }
        defer { alarm.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                ticket.await(continuation)
                admit(ticket)
                // A cancellation or an alarm that came before the ticket was in the line has found nothing to withdraw.
                if Task.isCancelled {
                    withdraw(ticket) { _ in nil }
                } else if job.deadline <= .now {
                    withdraw(ticket) { .deadlinePassed(model: job.model.name, hadBegun: $0) }
                }
            }
        } onCancel: {
            withdraw(ticket) { _ in nil }
        }
    }

    private func admit(_ ticket: Ticket) {
        let name = ticket.model.name
        let mostWorkers = ticket.model.vision.session.instances + 1
        let admission = lines.withLock {
            $0[name, default: WaitingLine(limits: limits)].admit(ticket, mostWorkers: mostWorkers)
        }
        switch admission {
        case .begins:
            rates.withLock { $0[name, default: CompletionRate()].begins(at: .now) }
            Task { await serve(name, beginningWith: ticket) }
        case .waits:
            break
        case .tooManyJobs:
            ticket.answer(
                .failure(
                    JobError.queueFull(model: name, limit: "at most \(limits.jobs) may wait", setting: "queue_jobs")
                )
            )
        case .tooManyBytes:
            ticket.answer(
                .failure(
                    JobError.queueFull(
                        model: name,
                        limit: "at most \(limits.bytes) bytes of pictures may wait",
                        setting: "queue_bytes"
                    )
                )
            )
        }
    }

    /// One worker's life: it runs its first job and then takes from the line until the line is empty.
    private func serve(_ name: String, beginningWith first: Ticket) async {
        var tickets = [first]
        while !tickets.isEmpty {
            await Run(tickets, on: worker).finish()
            tickets = lines.withLock { lines in
                for ticket in tickets { lines[name]?.finish(ticket.number) }
                let next = lines[name]?.take { $0.model.vision.maxBatch } ?? []
                let isIdle = lines[name]?.isIdle ?? false
                if isIdle { lines[name] = nil }
                rates.withLock { rates in
                    rates[name]?.completed(tickets.count, at: .now)
                    if isIdle { rates[name]?.pauses() }
                }
                return next
            }
        }
    }

    /// Answers a job with an error, `CancellationError` for `nil`, and sees to it that nothing more is done for it.
    private func withdraw(_ ticket: Ticket, because reason: (_ hadBegun: Bool) -> JobError?) {
        let withdrawal = lines.withLock { $0[ticket.model.name]?.withdraw(ticket.number) ?? .unknown }
        switch withdrawal {
        case .removed: ticket.answer(.failure(reason(false) ?? CancellationError()))
        case .isRunning: ticket.answer(.failure(reason(true) ?? CancellationError()))
        case .unknown: break
        }
    }
}

/// A job in the line, with the one who waits for its answer.
private final class Ticket: LineTicket, Sendable {
    let number: UInt64
    let job: Job
    let model: ServedModel
    let enqueued = ContinuousClock.now

    private struct Waiter {
        var continuation: CheckedContinuation<JobAnswer, any Error>?
        var run: Run?
    }

    private let waiter = Mutex(Waiter())

    init(number: UInt64, job: Job, model: ServedModel) {
        self.number = number
        self.job = job
        self.model = model
    }

    var byteCount: Int { job.byteCount }
    var lane: Lane { job.lane }

    func batchesWith(_ other: Ticket) -> Bool { model === other.model }

    /// Whether somebody still waits.
    var isWanted: Bool { waiter.withLock { $0.continuation != nil } }

    func await(_ continuation: CheckedContinuation<JobAnswer, any Error>) {
        waiter.withLock { $0.continuation = continuation }
    }

    func begin(_ run: Run) {
        // A run may have answered before it is known here.
        waiter.withLock { if $0.continuation != nil { $0.run = run } }
    }

    /// Answers, once; later answers go nowhere. A run that nobody waits for any more is stopped.
    func answer(_ result: Result<JobAnswer, any Error>) {
        let (continuation, run) = waiter.withLock { waiter in
            defer { waiter = Waiter() }
            return (waiter.continuation, waiter.run)
        }
        continuation?.resume(with: result)
        run?.stopIfUnwanted()
    }
}

/// Jobs that go through the engine together.
private final class Run: Sendable {
    private let tickets: [Ticket]
    private let task: Task<Void, Never>

    init(_ tickets: [Ticket], on worker: Worker) {
        self.tickets = tickets
        let jobs = tickets.map(\.job)
        let begun = ContinuousClock.now
        // Each answer goes out as it comes: the picture in it may be what another one waits for.
        task = Task {
            await worker.run(jobs) { index, result in
                tickets[index].answer(result.map { $0.waited(begun - tickets[index].enqueued) })
            }
        }
        for ticket in tickets { ticket.begin(self) }
        // One of them may have been given up between being taken and knowing of its run.
        stopIfUnwanted()
    }

    func finish() async { await task.value }

    func stopIfUnwanted() {
        if !tickets.contains(where: \.isWanted) { task.cancel() }
    }
}
