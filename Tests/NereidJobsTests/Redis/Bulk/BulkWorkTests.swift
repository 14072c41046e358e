// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOCore
import NereidImaging
import NereidModels
import NereidVision
import Testing

@testable import NereidJobs

/// Exactly once as the job's owner sees it, whoever ends in the middle.
@Suite("Work on bulk jobs", .enabled(if: RedisServer.isInstalled, RedisServer.missing), .timeLimit(.minutes(2)))
struct BulkWorkTests {
    private typealias Store = RedisJobStoreTests

    /// Each picture has one result, and the right one.
    static func expectEachOnce(_ results: [BulkResult], of count: Int) throws {
        #expect(results.map(\.sequence) == Array(1...count))
        #expect(results.map(\.picture).sorted() == Array(0..<count))
        for result in results { #expect(try RedisJobStoreTests.isRight(result)) }
    }

    @Test("is shared by workers: 200 pictures, three workers, each picture once")
    func shared() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let model = try await Fixtures.served("blocks-v8", maxBatch: 4)
        let store = try Store.store(server)
        defer { store.shutDown() }
        let job = try await store.accept(try Store.order(200)).job
        let workers = try (0..<3).map { _ in try RedisQueueTests.worker(server, model) }
        try await RedisQueueTests.running(workers) {
            try Self.expectEachOnce(try await Store.finished(job.id, in: store), of: 200)
        }
    }

    @Test("goes on without the gateway that took the job")
    func gatewayEnds() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let model = try await Fixtures.served("blocks-v8")
        let first = try Store.store(server)
        let job = try await first.accept(try Store.order(5)).job
        first.shutDown()
        await #expect(throws: BulkError.self) { try await first.job(job.id) }
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            let second = try Store.store(server)
            defer { second.shutDown() }
            try Self.expectEachOnce(try await Store.finished(job.id, in: second), of: 5)
        }
    }

    @Test(
        "of a worker that ended between running and storing is done by another; one answer counts, whoever comes first"
    )
    func workerEnds() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let model = try await Fixtures.served("blocks-v8")
        let store = try Store.store(server)
        defer { store.shutDown() }
        let job = try await store.accept(try Store.order(6)).job
        let reply = try await client.send(
            RedisCommand("XREADGROUP", "GROUP", "workers", "dead", "COUNT", 2, "STREAMS", "nereid:bulk:blocks-v8", ">")
        )
        let taken = (reply.elements?.first?.elements?.last?.elements ?? []).compactMap(StreamEntry.init)
        #expect(taken.count == 2)
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            try Self.expectEachOnce(try await Store.finished(job.id, in: store), of: 6)
        }
        // It was only slow.
        for entry in taken {
            let late = QueueScripts.finish(
                try JobEntry(fields: entry.fields),
                id: entry.id,
                in: JobStream(model: "blocks-v8", lane: .bulk),
                answer: StoredAnswer(json: ByteBuffer(string: "{}"), isError: true),
                keptFor: .seconds(9),
                keys: QueueKeys()
            )
            #expect(try await client.send(late) == .integer(0))
        }
        let done = try #require(try await store.job(job.id))
        #expect(done.done == 6 && done.failed == 0)
    }

    @Test("goes on after a restart of Redis that writes to a file")
    func restart() async throws {
        let server = try await RedisServer(["--appendonly", "yes", "--appendfsync", "always"])
        defer { server.kill() }
        let model = try await Fixtures.served("blocks-v8")
        let store = try Store.store(server)
        defer { store.shutDown() }
        let job = try await store.accept(try Store.order(60)).job
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            try await store.waitForChange(of: job.id, after: 10, until: .now + .seconds(60))
            server.kill()
            let again = try await server.restarted()
            defer { again.kill() }
            try await RedisQueueTests.until { (try? await store.job(job.id)) != nil }
            try Self.expectEachOnce(try await Store.finished(job.id, in: store), of: 60)
        }
    }

    @Test("waits behind whoever waits for an answer")
    func interactiveFirst() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let engine = GatedEngine()
        let model = try await Fixtures.served("blocks-v8", on: engine, maxBatch: 1)
        let (queue, store) = (try RedisQueueTests.queue(server), try Store.store(server))
        defer { store.shutDown() }
        let job = try await store.accept(try Store.order(200)).job
        engine.gate.close()
        let worker = try RedisQueueTests.worker(server, model)
        try await RedisQueueTests.running([queue, worker]) {
            // Both hands have a bulk picture each, and go on with the next things that they find.
            var arrivals = engine.gate.batches.makeAsyncIterator()
            for _ in 0..<2 { _ = await arrivals.next() }
            let remote = try await RedisQueueTests.remote("blocks-v8", in: queue)
            let picture = try Fixtures.picture()
            let answer = Task { try await queue.submit(RedisQueueTests.job(picture, for: remote)) }
            try await RedisQueueTests.until { queue.load(of: "blocks-v8").waiting == 1 }
            #expect(queue.load(of: "blocks-v8", in: .bulk).waiting == 198)
            #expect(queue.load(of: "blocks-v8", in: .bulk).running == 2)
            engine.gate.open()
            engine.gate.close()
            for _ in 0..<2 { _ = await arrivals.next() }
            try await RedisQueueTests.until { queue.load(of: "blocks-v8").running == 1 }
            #expect(queue.load(of: "blocks-v8").waiting == 0)
            #expect(try await store.job(job.id)?.done == 2)
            engine.gate.open()
            #expect(try await answer.value.detections.isEmpty)
            let results = try await Store.finished(job.id, in: store)
            #expect(results.map(\.picture).sorted() == Array(0..<200))
        }
    }

    @Test("comes from the queue, too, when a job says that nobody is in a hurry")
    func bulkLane() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let model = try await Fixtures.served("blocks-v8")
        let queue = try RedisQueueTests.queue(server, QueueLimits(jobs: 1))
        let picture = try Fixtures.picture(column: 2)
        try await RedisQueueTests.running([queue]) {
            let answers = (0..<3).map { _ in
                Task {
                    try await queue.submit(
                        Job(
                            id: "b",
                            model: LostJobsTests.remote(model),
                            picture: picture,
                            deadline: .now + .seconds(60),
                            lane: .bulk
                        )
                    )
                }
            }
            try await RedisQueueTests.until {
                try await client.send(RedisCommand("XLEN", "nereid:bulk:blocks-v8")) == .integer(3)
            }
            #expect(try await client.send(RedisCommand("EXISTS", "nereid:jobs:blocks-v8")) == .integer(0))
            try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
                for answer in answers {
                    let detections = try await answer.value.detections
                    #expect(detections.map(\.box.x1) == [32])
                }
            }
        }
    }

    @Test("that was deleted is not begun, and what has begun is not kept")
    func removed() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let engine = GatedEngine()
        let model = try await Fixtures.served("blocks-v8", on: engine, maxBatch: 1)
        let store = try Store.store(server)
        defer { store.shutDown() }
        let (job, other) = (
            try await store.accept(try Store.order(300)).job, try await store.accept(try Store.order(2)).job
        )
        engine.gate.close()
        let worker = try RedisQueueTests.worker(server, model, claimAfter: .seconds(30))
        try await RedisQueueTests.running([worker]) {
            var arrivals = engine.gate.batches.makeAsyncIterator()
            for _ in 0..<2 { _ = await arrivals.next() }
            #expect(try await store.remove(job.id))
            #expect(try await store.job(job.id) == nil)
            #expect(try await !store.remove(job.id))
            // Two are running, two belong to another job.
            #expect(try await client.send(RedisCommand("XLEN", "nereid:bulk:blocks-v8")) == .integer(4))
            #expect(try await RedisQueueTests.keys(client).filter { $0.contains("picture") }.count == 4)
            engine.gate.open()
            let results = try await Store.finished(other.id, in: store)
            #expect(results.map(\.picture).sorted() == [0, 1])
            try await RedisQueueTests.until { worker.running == 0 }
        }
        let left = try await RedisQueueTests.keys(client)
        #expect(left.filter { $0.contains(job.id) || $0.contains("picture") || $0.contains("bytes") } == [])
        #expect(engine.gate.passed.count == 4)
    }

    @Test("of which a part was left in the stream when its job was deleted is left aside by workers")
    func leftOver() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let engine = GatedEngine()
        let model = try await Fixtures.served("blocks-v8", on: engine)
        let store = try Store.store(server)
        defer { store.shutDown() }
        let job = try await store.accept(try Store.order(5)).job
        engine.gate.close()
        // A gateway that ends after the first step.
        try await client.send(BulkScripts.remove(job.id, keys: QueueKeys()))
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            try await RedisQueueTests.until {
                try await client.send(RedisCommand("XLEN", "nereid:bulk:blocks-v8")) == .integer(0)
            }
        }
        // A run would wait at the gate.
        engine.gate.open()
        #expect(engine.gate.passed.isEmpty)
        let left = try await RedisQueueTests.keys(client)
        #expect(left.filter { $0.contains(job.id) || $0.contains("picture") || $0.contains("bytes") } == [])
    }

    @Test("that ends three workers is an error of its picture at once; tried again, its answer replaces that")
    func deadLetter() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let model = try await Fixtures.served("blocks-v8")
        let store = try Store.store(server)
        defer { store.shutDown() }
        var order = try Store.order(2)
        order.webhook = "https://reef.example"
        let accepted = try await store.accept(order).job
        let job = accepted
        try await client.send(
            RedisCommand("XREADGROUP", "GROUP", "workers", "first", "COUNT", 1, "STREAMS", "nereid:bulk:blocks-v8", ">")
        )
        for name in ["second", "third"] {
            try await client.send(
                RedisCommand("XAUTOCLAIM", "nereid:bulk:blocks-v8", "workers", .text(name), 0, "0-0", "COUNT", 1)
            )
        }
        let person = RedisQueueOperator(try server.address(), logger: RedisClientTests.quiet)
        defer { person.shutDown() }
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            let results = try await Store.finished(job.id, in: store)
            let bad = try #require(results.first { $0.picture == 0 })
            #expect(throws: JobError.abandoned(model: "blocks-v8", deliveries: 3)) { try bad.outcome.get() }
            #expect(try await store.job(job.id)?.failed == 1)
            #expect(try await store.dueNotice(lease: .seconds(9)) != nil)
            try await store.settleNotice(of: job.id, as: .delivered, retry: nil)
        }
        #expect(try await person.status().map(\.dead) == [1])
        let letter = try #require(try await person.deadLetters(of: "blocks-v8").first)
        #expect(letter.request == "\(job.id):0")
        #expect(try await person.retry(letter.id, of: "blocks-v8"))
        let again = try #require(try await store.job(job.id))
        #expect(again.state == .running && again.done == 1 && again.failed == 0 && again.webhook == .waiting)
        #expect(try await store.dueNotice(lease: .seconds(9)) == nil)
        #expect(try await person.status().map(\.bulk.waiting) == [1])
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            try await store.waitForChange(of: job.id, after: 2, until: .now + .seconds(60))
            let later = try await store.results(of: job.id, after: 2, limit: 9)
            #expect(later.map(\.sequence) == [3] && later.map(\.picture) == [0])
            #expect(try later.allSatisfy { try Store.isRight($0) })
            let done = try #require(try await store.job(job.id))
            #expect(done.state == .done && done.done == 2 && done.failed == 0)
            #expect(try await store.dueNotice(lease: .seconds(9))?.attempts == 0)
        }
    }

    @Test("is done for nobody when its letter is tried again after its job was deleted")
    func letterOfDeletedJob() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let store = try Store.store(server)
        defer { store.shutDown() }
        let job = try await store.accept(try Store.order(1)).job
        let taken = try await client.send(
            RedisCommand("XREADGROUP", "GROUP", "workers", "a", "COUNT", 1, "STREAMS", "nereid:bulk:blocks-v8", ">")
        )
        let entry = try #require(taken.elements?.first?.elements?.last?.elements?.first.flatMap(StreamEntry.init))
        let bury = QueueScripts.bury(
            try JobEntry(fields: entry.fields),
            id: entry.id,
            in: JobStream(model: "blocks-v8", lane: .bulk),
            reason: "dark",
            answer: StoredAnswer(json: ByteBuffer(string: "{}"), isError: true),
            keptFor: .seconds(9),
            lettersKeptFor: .seconds(900),
            keys: QueueKeys()
        )
        #expect(try await client.send(bury) == .integer(1))
        #expect(try await store.remove(job.id))
        let person = RedisQueueOperator(try server.address(), logger: RedisClientTests.quiet)
        defer { person.shutDown() }
        let letter = try #require(try await person.deadLetters(of: "blocks-v8").first)
        #expect(try await person.retry(letter.id, of: "blocks-v8"))
        let model = try await Fixtures.served("blocks-v8")
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            try await RedisQueueTests.until {
                try await client.send(RedisCommand("XLEN", "nereid:bulk:blocks-v8")) == .integer(0)
            }
        }
        #expect(try await RedisQueueTests.keys(client).filter { $0.contains(job.id) } == [])
    }

    /// This file is Tests/NereidJobsTests/Redis/Bulk/BulkWorkTests.swift of the repository.
    private static let root = (0..<5).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
        url.deletingLastPathComponent()
    }

    @Test("is finished by the script that docs/queue.md gives to workers in other languages, as the example does")
    func documentedScript() throws {
        func text(_ file: String) throws -> String {
            try String(contentsOf: Self.root.appendingPathComponent(file), encoding: .utf8)
        }
        func statements(_ script: String) -> [Substring] {
            script.split(separator: "\n").filter { !$0.hasPrefix("--") }
        }
        let document = try text("docs/queue.md")
        let block = try #require(document.firstMatch(of: /```lua\n((?s).*?)```/)?.1)
        #expect(statements(String(block)) == statements(QueueScripts.finish))
        #expect(statements(try text("Examples/python-worker/finish.lua")) == statements(QueueScripts.finish))
    }
}
