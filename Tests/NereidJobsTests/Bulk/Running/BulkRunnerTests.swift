// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import Logging
import NIOCore
import NereidImaging
import NereidModels
import NereidVision
import ServiceLifecycle
import Synchronization
import Testing

@testable import NereidJobs

@Suite("Doing bulk jobs", .timeLimit(.minutes(3)))
struct BulkRunnerTests {
    static let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
    let fixture: BulkFixture

    init() throws {
        fixture = try BulkFixture()
    }

    /// A model with a window of two.
    static func model(_ name: String) -> JobModel {
        let server = RemoteModel.Server(
            worker: "w",
            host: "h",
            software: "s",
            file: "f",
            engine: "e",
            device: "cpu",
            instances: 1,
            running: 0
        )
        return .remote(
            RemoteModel(
                name: name,
                aliases: [],
                task: .detect,
                labels: Labels(["red"]),
                ignoresOrientation: false,
                workers: [server]
            )
        )
    }

    static func pace() -> BulkRunner.Pace {
        var pace = BulkRunner.Pace()
        pace.modelPause = .milliseconds(5)
        pace.grace = .milliseconds(10)
        return pace
    }

    /// Runs a runner while the body goes on, and stops it then.
    func running<Value: Sendable>(
        _ store: DatabaseJobStore,
        _ queue: any JobQueue,
        pace: BulkRunner.Pace = pace(),
        logger: Logger = logger,
        model: @escaping @Sendable (String) throws -> JobModel = { Self.model($0) },
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        let runner = BulkRunner(store: store, queue: queue, model: model, logger: logger, pace: pace)
        let task = Task { await runner.run() }
        let result: Result<Value, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        task.cancel()
        await task.value
        return try result.get()
    }

    @Test("does what waits and what comes, in the lane of bulk jobs, as many at once as keep the model busy")
    func doing() async throws {
        let store = try await fixture.open()
        let early = try await store.accept(.small(20, options: .init(confidence: 0.4))).job.id
        let queue = ScriptedQueue(isAutomatic: true)
        try await running(store, queue) {
            #expect(try await store.finished(early).done == 20)
            let late = try await store.accept(.small(2)).job.id
            #expect(try await store.finished(late).done == 2)
            #expect(try await store.results(of: early, after: 0, limit: 99).map(\.sequence) == Array(1...20))
            #expect(queue.order.last == "\(late)-1" || queue.order.last == "\(late)-0")
        }
        #expect(queue.order.count == 22)
        #expect(queue.most <= 2)
        var arrivals = queue.arrivals.makeAsyncIterator()
        let job = try #require(await arrivals.next())
        #expect(job.lane == .bulk && job.options.confidence == 0.4 && job.model.name == "demo")
        #expect(job.picture.readableBytes == 9)
    }

    @Test("gives each job its turn, so that a small one does not wait for a large one")
    func fairness() async throws {
        let store = try await fixture.open()
        let large = try await store.accept(.small(200)).job.id
        let small = try await store.accept(.small(3)).job.id
        let queue = ScriptedQueue(isAutomatic: true)
        try await running(store, queue) {
            _ = try await store.finished(small)
            _ = try await store.finished(large)
        }
        let last = try #require(queue.order.lastIndex { $0.hasPrefix(small) })
        #expect(last < 12)
    }

    @Test("lets pictures wait for a model that is not there, and other models' go on")
    func absentModel() async throws {
        let store = try await fixture.open()
        let waiting = try await store.accept(.small(2, model: "later")).job.id
        let other = try await store.accept(.small(2)).job.id
        let isThere = Flag()
        try await running(store, ScriptedQueue(isAutomatic: true)) { name in
            guard name != "later" || isThere.isSet else { throw ModelsError.loading(name: name) }
            return Self.model(name)
        } _: {
            _ = try await store.finished(other)
            #expect(try await store.job(waiting)?.done == 0)
            isThere.set()
            let job = try await store.finished(waiting)
            #expect((job.done, job.failed) == (2, 0))
        }
    }

    /// A flag that several tasks see.
    final class Flag: Sendable {
        private let value = Mutex(false)
        var isSet: Bool { value.withLock(\.self) }
        func set() { value.withLock { $0 = true } }
    }

    static let passing: [JobError] = [
        .queueFull(model: "demo", limit: "l", setting: "s"), .queueUnreachable(reason: "r"),
        .deadlinePassed(model: "demo", hadBegun: false),
    ]

    @Test("tries again what was only not its turn", arguments: passing)
    func tryingAgain(error: JobError) async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(1)).job.id
        let queue = ScriptedQueue()
        try await running(store, queue) {
            var arrivals = queue.arrivals.makeAsyncIterator()
            // More often than a picture may end badly.
            for _ in 0..<2 { queue.answer(try #require(await arrivals.next()).id, .failure(error)) }
            queue.answer(try #require(await arrivals.next()).id)
            #expect(try await store.finished(id).failed == 0)
        }
        #expect(queue.order.count == 3)
    }

    @Test("keeps other errors as the picture's answer")
    func failures() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(3)).job.id
        let queue = ScriptedQueue()
        try await running(store, queue) {
            for await job in queue.arrivals {
                switch job.id {
                case "\(id)-0": queue.answer(job.id, .failure(ImagingError.notAPicture))
                case "\(id)-1": queue.answer(job.id, .failure(JobError.deadlinePassed(model: "demo", hadBegun: true)))
                default: queue.answer(job.id, .failure(JobError.workerFailed(model: "demo", reason: "no memory")))
                }
                if job.id == "\(id)-2" { break }
            }
            let job = try await store.finished(id)
            #expect(job.failed == 3)
        }
        let results = try await store.results(of: id, after: 0, limit: 9).sorted { $0.picture < $1.picture }
        #expect(throws: ImagingError.notAPicture) { try results[0].outcome.get() }
        let slow = JobError.workerFailed(model: "demo", reason: "the picture was not done within 600.0 seconds")
        #expect(throws: slow) { try results[1].outcome.get() }
        #expect(throws: JobError.workerFailed(model: "demo", reason: "no memory")) { try results[2].outcome.get() }
    }

    @Test("stops the pictures of a job that is removed, and goes on with others")
    func removal() async throws {
        let store = try await fixture.open()
        let removed = try await store.accept(.small(5)).job.id
        let queue = ScriptedQueue()
        try await running(store, queue) {
            var arrivals = queue.arrivals.makeAsyncIterator()
            for _ in 0..<2 { _ = await arrivals.next() }
            #expect(try await store.remove(removed))
            while queue.cancelled.count < 2 { await Task.yield() }
            let other = try await store.accept(.small(1)).job.id
            let next = try #require(await arrivals.next()).id
            #expect(next == "\(other)-0")
            queue.answer(next)
            _ = try await store.finished(other)
        }
        #expect(queue.order.count == 3)
    }

    @Test("finishes what is under way when it is asked to stop, and takes no more")
    func gracefulStop() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(5)).job.id
        let queue = ScriptedQueue()
        let runner = BulkRunner(store: store, queue: queue, model: { Self.model($0) }, logger: Self.logger)
        let group = ServiceGroup(services: [runner], logger: Self.logger)
        let task = Task { try await group.run() }
        var arrivals = queue.arrivals.makeAsyncIterator()
        let taken = [await arrivals.next(), await arrivals.next()].compactMap { $0?.id }
        await group.triggerGracefulShutdown()
        for job in taken { queue.answer(job) }
        try await task.value
        #expect(queue.order == taken && queue.cancelled.isEmpty)
        #expect(try await store.job(id)?.done == 2)
        #expect(try await store.unfinished(after: 0).map(\.fresh) == [[2, 3, 4]])
    }

    @Test("does not wait for long: what is not finished is left for the next start, and blamed for nothing")
    func grace() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(3)).job.id
        let queue = ScriptedQueue()
        try await running(store, queue) {
            var arrivals = queue.arrivals.makeAsyncIterator()
            for _ in 0..<2 { _ = await arrivals.next() }
        }
        #expect(queue.cancelled.count == 2)
        let unfinished = try await store.unfinished(after: 0)
        #expect(unfinished.map(\.fresh) == [[0, 1, 2]] && unfinished.map(\.suspects) == [[]])
        try await running(store, ScriptedQueue(isAutomatic: true)) {
            let job = try await store.finished(id)
            #expect(job.done == 3)
        }
    }

    @Test("finishes after a crash what was accepted before it, beginning with what was under way, one at a time")
    func crash() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(6)).job.id
        let queue = ScriptedQueue()
        let fixture = fixture
        try await running(store, queue) {
            var arrivals = queue.arrivals.makeAsyncIterator()
            let first = try #require(await arrivals.next()).id
            _ = await arrivals.next()
            queue.answer(first)
            _ = await arrivals.next()
            // Here the process ends: a picture is answered, two are under way, three wait.
            let after = try await fixture.afterCrash()
            let suspects = try await after.unfinished(after: 0)[0].suspects
            #expect(suspects.count == 2)
            let next = ScriptedQueue()
            try await running(after, next) {
                var arrivals = next.arrivals.makeAsyncIterator()
                for suspect in suspects {
                    let job = try #require(await arrivals.next()).id
                    #expect(job == "\(id)-\(suspect)")
                    #expect(next.order.last == job)
                    next.answer(job)
                }
                for _ in 0..<3 { next.answer(try #require(await arrivals.next()).id) }
                let job = try await after.finished(id)
                #expect((job.done, job.failed) == (6, 0))
            }
            let results = try await after.results(of: id, after: 0, limit: 9)
            #expect(results.map(\.sequence) == Array(1...6))
            #expect(Set(results.map(\.picture)) == Set(0..<6))
        }
    }

    @Test("gives up a picture that was under way when three processes ended, and does all others")
    func poison() async throws {
        var store = try await fixture.open()
        let id = try await store.accept(.small(4)).job.id
        var path = fixture.path
        for process in 1...3 {
            let queue = ScriptedQueue()
            let (fixture, dying, from) = (fixture, store, path)
            store = try await running(dying, queue) {
                // Each process ends when picture 1 is begun; whatever else comes is answered.
                for await job in queue.arrivals {
                    if job.id == "\(id)-1" { break }
                    queue.answer(job.id)
                }
                return try await fixture.afterCrash(copy: process, from: from)
            }
            path = fixture.folder.path + "/copy\(process)"
        }
        let (last, queue) = (store, ScriptedQueue(isAutomatic: true))
        try await running(last, queue) {
            let job = try await last.finished(id)
            #expect((job.done, job.failed) == (4, 1))
        }
        #expect(!queue.order.contains("\(id)-1"))
        let reason = "this program ended 3 times while it had the picture, which is not tried again"
        for result in try await last.results(of: id, after: 0, limit: 9) {
            if result.picture == 1 {
                #expect(throws: JobError.workerFailed(model: "demo", reason: reason)) { try result.outcome.get() }
            } else {
                #expect(try result.outcome.get().detections.count == 1)
            }
        }
    }

    @Test("keeps an answer as soon as the database can be written again")
    func unwritable() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(1)).job.id
        let (queue, log) = (ScriptedQueue(), LogReader())
        try await running(store, queue, logger: log.logger) {
            var arrivals = queue.arrivals.makeAsyncIterator()
            let job = try #require(await arrivals.next()).id
            try await store.maintain { try $0.execute(sql: "PRAGMA query_only = ON") }
            let error = await #expect(throws: BulkError.self) { try await store.accept(.small(1)) }
            #expect(error?.description.contains("can't be written") == true)
            queue.answer(job)
            var lines = log.lines.makeAsyncIterator()
            #expect(await lines.next() == "an answer can't be kept")
            #expect(try await store.job(id)?.done == 0)
            try await store.maintain { try $0.execute(sql: "PRAGMA query_only = OFF") }
            #expect(try await store.finished(id).done == 1)
        }
        #expect(queue.order.count == 1)
    }

    @Test("forgets jobs whose time is over")
    func sweeping() async throws {
        let store = try await fixture.open(BulkLimits(life: .seconds(1)))
        let id = try await store.accept(.small(1)).job.id
        var pace = Self.pace()
        pace.sweep = .milliseconds(5)
        let fixture = fixture
        try await running(store, ScriptedQueue(isAutomatic: true), pace: pace) {
            _ = try await store.finished(id)
            fixture.clock.goOn(by: 1)
            while try await store.read({ try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM job") }) != 0 {
                await Task.yield()
            }
        }
    }

    @Test("answers through the embedded queue as a request is answered")
    func embedded() async throws {
        let model = try await Fixtures.served("blocks-v8")
        let store = try await fixture.open()
        var pictures = try (0..<6).map { BulkOrder.Picture(bytes: try Fixtures.picture(column: $0)) }
        pictures.append(.init(name: "text", bytes: ByteBuffer(string: "not a picture")))
        let id = try await store.accept(BulkOrder(model: "blocks-v8", pictures: pictures)).job.id
        let queue = EmbeddedQueueTests.queue()
        try await running(store, queue) { _ in
            .loaded(model)
        } _: {
            let job = try await store.finished(id)
            #expect((job.done, job.failed) == (7, 1))
        }
        for result in try await store.results(of: id, after: 0, limit: 9) {
            if result.picture == 6 {
                #expect(result.name == "text")
                #expect(throws: ImagingError.notAPicture) { try result.outcome.get() }
            } else {
                let x = Float(result.picture * 16)
                #expect(try result.outcome.get().detections.map(\.box) == [Box(x1: x, y1: 0, x2: x + 16, y2: 16)])
            }
        }
    }
}
