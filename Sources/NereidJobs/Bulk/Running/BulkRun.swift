// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels

/// One run of a ``BulkRunner``: it hears what happens, one thing after another, and begins what can be begun.
struct BulkRun {
    private enum Event: Sendable {
        case news(JobSignals.News)
        case ended(BulkSchedule.Place, BulkRunner.Ending)
        /// A pause is over.
        case wake
        case stop
        /// What is still under way is not waited for any longer.
        case graceIsOver
    }

    private struct Job {
        let id: String
        let model: String
    }

    private struct Pause {
        var until: ContinuousClock.Instant
        var backOff = BackOff(first: .milliseconds(500), most: .seconds(10))
    }

    private let runner: BulkRunner
    private let events: AsyncStream<Event>
    private let event: AsyncStream<Event>.Continuation
    private var schedule = BulkSchedule()
    private var jobs: [Int64: Job] = [:]
    private var numbers: [String: Int64] = [:]
    private var lastNumber: Int64 = 0
    private var underWay: [BulkSchedule.Place: Task<Void, Never>] = [:]
    /// Of models by their names.
    private var pauses: [String: Pause] = [:]
    private var mustRead = true
    private var reading = BackOff(first: .milliseconds(500), most: .seconds(30))
    private var isStopping = false

    init(_ runner: BulkRunner, stop: Occasion) {
        self.runner = runner
        (events, event) = AsyncStream.makeStream()
        stop.whenItComes { [event] in event.yield(.stop) }
    }

    /// Works until it is asked to stop and nothing is under way.
    mutating func run() async {
        // Listened to before the store is read: what comes between is told, and read twice at worst.
        let news = runner.store.signals.news()
        let listening = Task { [event] in
            for await one in news { event.yield(.news(one)) }
        }
        let sweeping = Task { [runner] in await runner.sweep() }
        event.yield(.wake)
        for await one in events {
            hear(one)
            if !isStopping { await begin() } else if underWay.isEmpty { break }
        }
        listening.cancel()
        sweeping.cancel()
        await sweeping.value
    }

    private mutating func hear(_ event: Event) {
        switch event {
        case .news(.accepted):
            mustRead = true
        case .news(.removed(let id)):
            guard let number = numbers.removeValue(forKey: id) else { break }
            jobs[number] = nil
            for place in schedule.remove(number) { underWay[place]?.cancel() }
        case .news(.damaged):
            // Whoever opened the store ends this run.
            break
        case .ended(let place, let ending):
            underWay[place] = nil
            settle(place, ending)
        case .wake:
            break
        case .stop:
            guard !isStopping else { break }
            isStopping = true
            tell(.graceIsOver, in: runner.pace.grace)
        case .graceIsOver:
            for task in underWay.values { task.cancel() }
        }
    }

    private mutating func settle(_ place: BulkSchedule.Place, _ ending: BulkRunner.Ending) {
        guard let job = jobs[place.job] else { return schedule.finish(place) }
        switch ending {
        case .settled:
            schedule.finish(place)
            pauses[job.model] = nil
            if !schedule.knows(place.job) {
                jobs[place.job] = nil
                numbers[job.id] = nil
            }
        case .postponed(let reason):
            schedule.putBack(place)
            pause(job.model, because: reason)
        }
    }

    /// Begins the pictures whose turn it is.
    private mutating func begin() async {
        if mustRead { await read() }
        var windows: [String: Int] = [:]
        for name in schedule.models { windows[name] = window(of: name) }
        while let place = schedule.next(window: { windows[$0] ?? 0 }) {
            guard let job = jobs[place.job] else {
                schedule.finish(place)
                continue
            }
            underWay[place] = Task { [runner, event] in
                event.yield(.ended(place, await runner.work(on: place, id: job.id, model: job.model)))
            }
        }
    }

    /// Learns of the jobs that have come.
    private mutating func read() async {
        do {
            for job in try await runner.store.unfinished(after: lastNumber) {
                lastNumber = job.number
                jobs[job.number] = Job(id: job.id, model: job.model)
                numbers[job.id] = job.number
                schedule.add(job.number, model: job.model, fresh: job.fresh, suspects: job.suspects)
            }
            mustRead = false
            reading.reset()
        } catch {
            let wait = reading.next()
            runner.logger.log(
                level: reading.level,
                "jobs that wait can't be read",
                metadata: ["error": "\(error)", "again": "\(wait)"]
            )
            tell(.wake, in: wait)
        }
    }

    /// How many pictures of a model may be under way now.
    private mutating func window(of name: String) -> Int {
        if let pause = pauses[name], pause.until > .now { return 0 }
        do {
            return max(1, try runner.model(name).window)
        } catch {
            let isNew = pauses[name] == nil
            runner.logger.log(
                level: isNew ? .notice : .debug,
                "pictures of jobs wait for their model",
                metadata: ["model": "\(name)", "error": "\(error)"]
            )
            pauses[name, default: Pause(until: .now)].until = .now + runner.pace.modelPause
            tell(.wake, in: runner.pace.modelPause)
            return 0
        }
    }

    /// Lets the pictures of a model wait for a while, longer each time.
    private mutating func pause(_ name: String, because reason: String) {
        var pause = pauses[name] ?? Pause(until: .now)
        // Several of one moment count as one.
        guard pause.until <= .now, !isStopping else { return }
        let wait = pause.backOff.next()
        runner.logger.log(
            level: pause.backOff.level,
            "pictures of jobs are tried again later",
            metadata: ["model": "\(name)", "reason": "\(reason)", "again": "\(wait)"]
        )
        pause.until = .now + wait
        pauses[name] = pause
        tell(.wake, in: wait)
    }

    private func tell(_ later: Event, in time: Duration) {
        Task { [event] in
            try await Task.sleep(for: time)
            event.yield(later)
        }
    }
}
