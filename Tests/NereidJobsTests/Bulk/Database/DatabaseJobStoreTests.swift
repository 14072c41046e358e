// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import NIOCore
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs

@Suite("Jobs in a database", .timeLimit(.minutes(2)))
struct DatabaseJobStoreTests {
    let fixture: BulkFixture

    init() throws {
        fixture = try BulkFixture()
    }

    @Test("stand as they were accepted, and as they go on")
    func states() async throws {
        let store = try await fixture.open()
        let (job, isNew) = try await store.accept(.small(2))
        #expect(isNew)
        #expect(job == BulkJob(id: job.id, model: "demo", created: fixture.clock.now, pictures: 2))
        #expect(job.id.count == 32 && job.id.allSatisfy(\.isHexDigit))
        #expect(try await store.job(job.id) == job)
        #expect(job.state == .waiting)

        let number = try await store.lastNumber()
        try await store.record(.failure(ImagingError.notAPicture), for: 1, of: number)
        let running = try #require(try await store.job(job.id))
        #expect((running.done, running.failed, running.finished, running.state) == (1, 1, nil, .running))

        fixture.clock.goOn(by: 5)
        try await store.record(.success(.box()), for: 0, of: number)
        let done = try #require(try await store.job(job.id))
        #expect((done.done, done.failed, done.state) == (2, 1, .done))
        #expect(done.finished == fixture.clock.now)
        #expect(done.expires == fixture.clock.now + 24 * 3600)
        #expect(try await store.job("0") == nil)
    }

    @Test("give their results in the order in which they came, from any place on")
    func results() async throws {
        let store = try await fixture.open()
        let job = try await store.accept(.small(4)).job
        let number = try await store.lastNumber()
        try await store.record(.success(.box(score: 0.25)), for: 2, of: number)
        try await store.record(.failure(ImagingError.notAPicture), for: 0, of: number)
        try await store.answer([3, 1], of: number)
        let results = try await store.results(of: job.id, after: 0, limit: 10)
        #expect(results.map(\.sequence) == [1, 2, 3, 4])
        #expect(results.map(\.picture) == [2, 0, 3, 1])
        #expect(results.map(\.name) == ["2.png", "0.png", "3.png", "1.png"])
        let answer = try results[0].outcome.get()
        #expect(answer.detections == JobAnswer.box(score: 0.25).detections)
        #expect(answer.size == PixelSize(width: 160, height: 160))
        #expect(throws: ImagingError.notAPicture) { try results[1].outcome.get() }
        #expect(try await store.results(of: job.id, after: 1, limit: 2).map(\.sequence) == [2, 3])
        #expect(try await store.results(of: job.id, after: 4, limit: 10).isEmpty)
        #expect(try await store.results(of: job.id, after: 0, limit: -1).isEmpty)
        #expect(try await store.results(of: "0", after: 0, limit: 10).isEmpty)
    }

    @Test("keep the first answer to a picture, and count none twice")
    func oneAnswer() async throws {
        let store = try await fixture.open()
        let job = try await store.accept(.small(2)).job
        let number = try await store.lastNumber()
        #expect(try await store.record(.success(.box(score: 0.25)), for: 0, of: number))
        #expect(try await !store.record(.success(.box(score: 0.75)), for: 0, of: number))
        #expect(try await !store.record(.success(.box()), for: 9, of: number))
        #expect(try await store.begin(0, of: number) == nil)
        let results = try await store.results(of: job.id, after: 0, limit: 10)
        #expect(try results.map { try $0.outcome.get().detections[0].score } == [0.25])
        #expect(try await store.job(job.id)?.done == 1)
    }

    @Test("number the answers of many at once without gaps")
    func concurrentAnswers() async throws {
        let store = try await fixture.open()
        let job = try await store.accept(.small(40)).job
        let number = try await store.lastNumber()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for position in 0..<40 {
                group.addTask { try await store.record(.success(.box()), for: position, of: number) }
            }
            try await group.waitForAll()
        }
        let results = try await store.results(of: job.id, after: 0, limit: 100)
        #expect(results.map(\.sequence) == Array(1...40))
        #expect(Set(results.map(\.picture)) == Set(0..<40))
        #expect(try await store.job(job.id)?.state == .done)
    }

    @Test("are listed with the newest first, a page at a time")
    func pages() async throws {
        let store = try await fixture.open()
        var ids: [String] = []
        for _ in 0..<5 {
            ids.insert(try await store.accept(.small(1)).job.id, at: 0)
            // Ids of one millisecond have no order.
            fixture.clock.goOn(by: 1)
        }
        #expect(try await store.jobs(before: nil, limit: 2).map(\.id) == Array(ids[..<2]))
        #expect(try await store.jobs(before: ids[1], limit: 2).map(\.id) == Array(ids[2..<4]))
        #expect(try await store.jobs(before: ids[4], limit: 2).isEmpty)
        // A job that is there no more still has its place.
        #expect(try await store.remove(ids[2]))
        #expect(try await store.jobs(before: ids[2], limit: 9).map(\.id) == Array(ids[3...]))
        #expect(try await store.remove(ids[4]))
        #expect(try await store.jobs(before: ids[4], limit: 9).isEmpty)
        #expect(try await store.jobs(before: "0", limit: 9).isEmpty)
    }

    @Test("have no pictures at all: they are done at once")
    func empty() async throws {
        let store = try await fixture.open()
        #expect(try await store.accept(.small(0)).job.state == .done)
    }

    @Test("go with all that belongs to them")
    func removal() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(3, key: "k")).job.id
        let number = try await store.lastNumber()
        try await store.answer([0], of: number)
        #expect(try await store.remove(id))
        #expect(try await !store.remove(id))
        #expect(try await store.job(id) == nil)
        #expect(try await store.begin(1, of: number) == nil)
        #expect(try await !store.record(.success(.box()), for: 1, of: number))
        for table in ["job", "picture", "upload", "result"] {
            #expect(try await store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM \(table)") } == 0)
        }
        #expect(try await store.accept(.small(3, key: "k")).isNew)
    }

    @Test("wake those who wait for a result, for the end, and for nothing more to come")
    func waiting() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(3)).job.id
        let number = try await store.lastNumber()
        func waiter(after sequence: Int) async -> Task<Void, any Error> {
            let before = store.signals.waiting
            let task = Task {
                try await store.waitForChange(of: id, after: sequence, until: .now + .seconds(60))
            }
            while store.signals.waiting == before { await Task.yield() }
            return task
        }
        let first = await waiter(after: 0), second = await waiter(after: 1)
        try await store.answer([0], of: number)
        try await first.value
        try await store.answer([1], of: number)
        try await second.value
        // One who is behind need not wait.
        try await store.waitForChange(of: id, after: 0, until: .now + .seconds(60))
        let removed = await waiter(after: 2)
        _ = try await store.remove(id)
        try await removed.value
        try await store.waitForChange(of: id, after: 0, until: .now + .seconds(60))
        #expect(store.signals.waiting == 0)
    }

    @Test("let no one wait beyond the deadline, or after being cancelled")
    func endOfWaiting() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(1)).job.id
        try await store.waitForChange(of: id, after: 0, until: .now + .milliseconds(20))
        try await store.waitForChange(of: id, after: 0, until: .now - .seconds(1))
        let task = Task { try await store.waitForChange(of: id, after: 0, until: .now + .seconds(60)) }
        while store.signals.waiting == 0 { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(store.signals.waiting == 0)
    }

    @Test("are forgotten when their time is over, and not before they are done")
    func expiry() async throws {
        let store = try await fixture.open(BulkLimits(life: .seconds(100)))
        let done = try await store.accept(.small(1, webhook: "https://example.org")).job.id
        try await store.answer([0], of: try await store.lastNumber())
        let waiting = try await store.accept(.small(1)).job.id
        fixture.clock.goOn(by: 99)
        #expect(try await store.sweep() == 0)
        #expect(try await store.job(done) != nil)
        fixture.clock.goOn(by: 1)
        // Gone at the moment, whenever it is swept.
        #expect(try await store.job(done) == nil)
        #expect(try await store.results(of: done, after: 0, limit: 1).isEmpty)
        #expect(try await store.jobs(before: nil, limit: 9).map(\.id) == [waiting])
        #expect(try await store.dueNotice(lease: .seconds(1)) == nil)
        #expect(try await store.sweep() == 1)
        #expect(try await store.sweep() == 0)
        fixture.clock.goOn(by: 1e6)
        #expect(try await store.sweep() == 0)
        #expect(try await store.job(waiting)?.state == .waiting)
    }

    @Test("give the disk back what answered pictures took")
    func space() async throws {
        let store = try await fixture.open()
        let bytes = ByteBuffer(repeating: 7, count: 1 << 20)
        _ = try await store.accept(BulkOrder(model: "demo", pictures: (0..<24).map { _ in .init(bytes: bytes) }))
        func pages() async throws -> Int {
            try await store.read { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
        }
        let full = try await pages()
        #expect(full > 24 * 256)
        try await store.answer(0..<24, of: try await store.lastNumber())
        try await store.sweep()
        #expect(try await store.read { try Int.fetchOne($0, sql: "PRAGMA freelist_count") } == 0)
        #expect(try await pages() < 100)
    }

    @Test("are written so that they survive the end of the machine's power")
    func durability() async throws {
        let store = try await fixture.open()
        func synchronous(_ safety: DatabaseJobStore.Safety) async throws -> Int? {
            try await store.write(safeFrom: safety) { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        }
        // 2 is FULL, 1 is NORMAL.
        #expect(try await synchronous(.powerLoss) == 2)
        #expect(try await synchronous(.processEnd) == 1)
        #expect(try await store.write { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
        #expect(try await store.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        #expect(try await store.maintain { try Int.fetchOne($0, sql: "PRAGMA auto_vacuum") } == 2)
        #expect(try await store.maintain { try Int.fetchOne($0, sql: "PRAGMA foreign_keys") } == 1)
    }

    @Test("are there, with all their pictures and answers, after a process that closed nothing")
    func crash() async throws {
        let store = try await fixture.open()
        let accepted = try await store.accept(.small(3, options: .init(confidence: 0.3, classes: [1, 4]), key: "k")).job
        let number = try await store.lastNumber()
        try await store.answer([1], of: number)
        let after = try await fixture.afterCrash()
        let expected = try await store.job(accepted.id)
        #expect(try await after.job(accepted.id) == expected)
        #expect(try await after.results(of: accepted.id, after: 0, limit: 9).map(\.picture) == [1])
        #expect(
            try await after.unfinished(after: 0)
                == [.init(number: number, id: accepted.id, model: "demo", fresh: [0, 2], suspects: [])]
        )
        let begun = try #require(try await after.begin(2, of: number))
        #expect(begun.picture == ByteBuffer(string: "picture 2"))
        #expect(begun.options == PredictionOptions(confidence: 0.3, classes: [1, 4]))
        #expect(begun.attempts == 1)
        let again = try await after.accept(.small(3, options: .init(confidence: 0.3, classes: [1, 4]), key: "k"))
        #expect(again.job.id == accepted.id && !again.isNew)
    }

    @Test("count attempts over crashes, and only those that did not end well")
    func attempts() async throws {
        let store = try await fixture.open()
        _ = try await store.accept(.small(2))
        let number = try await store.lastNumber()
        #expect(try await store.begin(0, of: number)?.attempts == 1)
        #expect(try await store.begin(1, of: number)?.attempts == 1)
        try await store.release(1, of: number)
        try await store.release(1, of: number)
        let after = try await fixture.afterCrash()
        let unfinished = try await after.unfinished(after: 0)
        #expect(unfinished.map(\.fresh) == [[1]])
        #expect(unfinished.map(\.suspects) == [[0]])
        #expect(try await after.begin(0, of: number)?.attempts == 2)
        #expect(try await after.begin(1, of: number)?.attempts == 1)
    }
}
