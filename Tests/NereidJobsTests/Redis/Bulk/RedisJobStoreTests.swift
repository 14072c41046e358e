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

@Suite("Bulk jobs in Redis", .enabled(if: RedisServer.isInstalled, RedisServer.missing), .timeLimit(.minutes(2)))
struct RedisJobStoreTests {
    static func store(_ server: RedisServer, _ limits: BulkLimits = .init()) throws -> RedisJobStore {
        RedisJobStore(
            try server.address(),
            limits: limits,
            settings: RedisQueueTests.settings,
            logger: RedisClientTests.quiet
        )
    }

    /// Pictures with a red block each in a place of its own; every second one has a name.
    static func order(_ count: Int, model: String = "blocks-v8", key: String? = nil) throws -> BulkOrder {
        BulkOrder(
            model: model,
            pictures: try (0..<count).map { number in
                BulkOrder.Picture(
                    name: number % 2 == 0 ? "reef/\(number).png" : nil,
                    bytes: try Fixtures.picture(column: number % 10, row: number / 10 % 10)
                )
            },
            idempotencyKey: key
        )
    }

    /// Whether a result is that of the picture of ``order(_:model:key:)`` that it says.
    static func isRight(_ result: BulkResult) throws -> Bool {
        let place = (column: result.picture % 10, row: result.picture / 10 % 10)
        return try result.outcome.get().detections.map(\.box)
            == [
                Box(
                    x1: Float(place.column * 16),
                    y1: Float(place.row * 16),
                    x2: Float(place.column * 16 + 16),
                    y2: Float(place.row * 16 + 16)
                )
            ] && result.name == (result.picture % 2 == 0 ? "reef/\(result.picture).png" : nil)
    }

    /// Follows a job as a reader of its events would, until it is finished.
    static func finished(_ id: String, in store: RedisJobStore) async throws -> [BulkResult] {
        var results: [BulkResult] = []
        while true {
            let job = try #require(try await store.job(id))
            results += try await store.results(of: id, after: results.last?.sequence ?? 0, limit: 1000)
            if job.finished != nil, results.count >= job.done { return results }
            try await store.waitForChange(
                of: id,
                after: results.last?.sequence ?? 0,
                until: .now + .seconds(30)
            )
        }
    }

    @Test("are done by any worker, and leave nothing behind but their results, for as long as they are kept")
    func results() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let model = try await Fixtures.served("blocks-v8")
        let store = try Self.store(server)
        defer { store.shutDown() }
        let (job, isNew) = try await store.accept(try Self.order(20))
        #expect(isNew && job.state == .waiting && job.pictures == 20 && job.done == 0 && job.webhook == nil)
        #expect(abs(job.created.timeIntervalSinceNow) < 60)
        #expect(try await store.job(job.id) == job)
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            let results = try await Self.finished(job.id, in: store)
            #expect(results.map(\.sequence) == Array(1...20))
            #expect(Set(results.map(\.picture)) == Set(0..<20))
            for result in results { #expect(try Self.isRight(result)) }
            // Sequence numbers are the same for everybody, whatever they have seen.
            let other = try Self.store(server)
            defer { other.shutDown() }
            let part = try await other.results(of: job.id, after: 7, limit: 5)
            #expect(part.map(\.sequence) == [8, 9, 10, 11, 12])
            #expect(part.map(\.picture) == results[7..<12].map(\.picture))
            #expect(try await other.results(of: job.id, after: 0, limit: 0).isEmpty)
            #expect(try await other.results(of: job.id, after: .max, limit: 9).isEmpty)
            #expect(try await other.results(of: job.id, after: -3, limit: 1).map(\.sequence) == [1])
            let done = try #require(try await other.job(job.id))
            #expect(done.state == .done && done.done == 20 && done.failed == 0)
            let finished = try #require(done.finished)
            #expect(done.expires.map { Int($0.timeIntervalSince(finished).rounded()) } == 24 * 3600)
        }
        let keys = try await RedisQueueTests.keys(client)
        #expect(keys.filter { $0.contains("picture") || $0.contains("bytes") || $0.contains("notices") } == [])
        for suffix in ["", ":results", ":names"] {
            let left = try await client.send(RedisCommand("PTTL", "nereid:job:\(job.id)\(suffix)")).integer ?? 0
            #expect((86_000_000...86_400_000).contains(left))
        }
        #expect(try await client.send(RedisCommand("XLEN", "nereid:bulk:blocks-v8")) == .integer(0))
    }

    @Test("say what is wrong with a picture, and count it")
    func failures() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let model = try await Fixtures.served("blocks-v8")
        let store = try Self.store(server)
        defer { store.shutDown() }
        var order = try Self.order(2)
        order.pictures[1].bytes = ByteBuffer(string: "not a picture")
        order.pictures[1].name = "notes.txt"
        let job = try await store.accept(order).job
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            let results = try await Self.finished(job.id, in: store)
            let bad = try #require(results.first { $0.picture == 1 })
            #expect(bad.name == "notes.txt")
            #expect(throws: ImagingError.notAPicture) { try bad.outcome.get() }
            let done = try #require(try await store.job(job.id))
            #expect(done.done == 2 && done.failed == 1)
        }
    }

    @Test("are forgotten by Redis itself when their time is over")
    func expiry() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let model = try await Fixtures.served("blocks-v8")
        let store = try Self.store(server, BulkLimits(life: .milliseconds(300)))
        defer { store.shutDown() }
        let job = try await store.accept(try Self.order(2, key: "k")).job
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            try await RedisQueueTests.until { try await store.job(job.id) == nil }
        }
        #expect(try await store.results(of: job.id, after: 0, limit: 9).isEmpty)
        #expect(try await store.jobs(before: nil, limit: 9).isEmpty)
        try await RedisQueueTests.until {
            try await RedisQueueTests.keys(client).filter { $0.contains(job.id) || $0.contains("order") }.isEmpty
        }
        // Its key may be used anew.
        #expect(try await store.accept(try Self.order(3, key: "k")).isNew)
    }

    @Test("whose model has no workers any more are forgotten, and count no more")
    func noWorkers() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let order = try Self.order(3, model: "absent")
        let store = try Self.store(server, BulkLimits(bytes: order.byteCount))
        defer { store.shutDown() }
        // What a job of more than thirty days ago has left, one entry of it with a worker that has gone.
        var old = RedisCommand("XADD", "nereid:bulk:absent", "1-0")
        for word in ["job", "a:0", "bytes", "\(order.byteCount)", "record", "nereid:job:a", "picture_key", "p"] {
            old.append(.text(word))
        }
        _ = try await client.send([
            RedisCommand("XGROUP", "CREATE", "nereid:bulk:absent", "workers", "0", "MKSTREAM"), old,
            RedisCommand("SADD", "nereid:bulk-models", "absent"),
            RedisCommand("SET", "nereid:bulk-bytes:absent", .integer(order.byteCount)),
            RedisCommand("XREADGROUP", "GROUP", "workers", "w", "COUNT", 1, "STREAMS", "nereid:bulk:absent", ">"),
        ])
        #expect(try await store.accept(order).isNew)
        #expect(try await client.send(RedisCommand("XLEN", "nereid:bulk:absent")) == .integer(3))
        #expect(try await client.send(RedisCommand("GET", "nereid:bulk-bytes:absent")).integer == order.byteCount)
        let pending = try await client.send(RedisCommand("XPENDING", "nereid:bulk:absent", "workers"))
        #expect(pending.elements?.first == .integer(0))
        // What has not waited for so long counts.
        await #expect(throws: BulkError.self) { try await store.accept(order) }
    }

    @Test("are made once of an order that is sent twice, one after the other or at once")
    func idempotency() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let stores = [try Self.store(server), try Self.store(server)]
        defer { for store in stores { store.shutDown() } }
        let order = try Self.order(3, key: "a key")
        let made = try await withThrowingTaskGroup(of: (job: BulkJob, isNew: Bool).self) { group in
            for number in 0..<8 { group.addTask { try await stores[number % 2].accept(order) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(made.map(\.job.id)).count == 1)
        #expect(made.filter(\.isNew).count == 1)
        #expect(try await client.send(RedisCommand("XLEN", "nereid:bulk:blocks-v8")) == .integer(3))
        #expect(try await RedisQueueTests.keys(client).filter { $0.contains("picture") }.count == 3)
        var others = Array(repeating: order, count: 5)
        others[0].webhook = "https://reef.example"
        others[1].options.confidence = 0.9
        others[2].pictures.removeLast()
        others[3].pictures[0].name = "other"
        others[4].pictures[1].bytes = order.pictures[2].bytes
        for other in others {
            await #expect(throws: BulkError.keyReused(key: "a key")) { try await stores[1].accept(other) }
        }
        #expect(try await stores[0].accept(try Self.order(3, key: "another key")).isNew)
        #expect(try await stores[0].accept(try Self.order(3)).isNew)
    }

    @Test("are refused, saying why, while as many bytes wait as may, or Redis is full")
    func full() async throws {
        let server = try await RedisServer(["--maxmemory", "8mb"])
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let store = try Self.store(server, BulkLimits(bytes: 100_000))
        defer { store.shutDown() }
        func order(_ model: String, _ bytes: Int) -> BulkOrder {
            BulkOrder(model: model, pictures: [.init(name: "a", bytes: ByteBuffer(repeating: 1, count: bytes))])
        }
        let expected = BulkError.full(limit: "at most 100000 bytes of pictures may wait", setting: "job_bytes")
        let first = try await store.accept(order("one", 60_000)).job
        // What waits counts over all models.
        await #expect(throws: expected) { try await store.accept(order("two", 40_001)) }
        #expect(try await store.accept(order("two", 40_000)).isNew)
        await #expect(throws: expected) { try await store.accept(order("one", 1)) }
        #expect(try await store.remove(first.id))
        #expect(try await store.accept(order("two", 60_000)).isNew)
        #expect(expected.description.contains("job_bytes"))
        // What has no room even in an empty queue will never have.
        await #expect(throws: BulkError.tooLarge(bytes: 100_001, limit: 100_000)) {
            try await store.accept(order("one", 100_001))
        }

        let wide = try Self.store(server)
        defer { wide.shutDown() }
        let memory = BulkError.full(limit: "Redis has as much as it may hold", setting: "maxmemory")
        let before = try await RedisQueueTests.keys(client)
        let large = BulkOrder(
            model: "one",
            pictures: (0..<12).map { .init(name: "\($0)", bytes: ByteBuffer(repeating: 1, count: 1_000_000)) }
        )
        await #expect(throws: memory) { try await wide.accept(large) }
        #expect(try await RedisQueueTests.keys(client) == before)
    }

    @Test("can't be accepted or read while Redis is away, in words")
    func away() async throws {
        let server = try await RedisServer()
        let store = try Self.store(server)
        defer { store.shutDown() }
        let job = try await store.accept(try Self.order(1)).job
        server.kill()
        for call in [
            { _ = try await store.accept(try Self.order(1)) }, { _ = try await store.job(job.id) },
            { _ = try await store.jobs(before: nil, limit: 1) },
        ] as [@Sendable () async throws -> Void] {
            let error = await #expect(throws: BulkError.self) { try await call() }
            guard case .unavailable(let reason) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(reason.contains("Redis"))
        }
        let nothing = BulkOrder(model: "reef", pictures: [])
        await #expect(throws: BulkError.unavailable(reason: "the order has no pictures")) {
            try await store.accept(nothing)
        }
    }

    @Test("whose gateway ends before they are accepted take no memory for long")
    func staging() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let store = try Self.store(server)
        defer { store.shutDown() }
        let id = BulkID.make(at: 1)
        try await store.stage(try Self.order(3), as: id)
        let keys = try await RedisQueueTests.keys(client)
        #expect(keys.count == 4)
        for key in keys {
            let left = try await client.send(RedisCommand("PTTL", .text(key))).integer ?? 0
            #expect((1...900_000).contains(left))
        }
        #expect(try await store.job(id) == nil)
        // A picture that has gone meanwhile undoes the rest.
        let order = try Self.order(3)
        try await client.send(RedisCommand("DEL", "nereid:picture:\(id):2"))
        let acceptance = BulkScripts.Acceptance(
            id: id,
            created: 1,
            order: order,
            fingerprint: "",
            limits: .init(),
            patience: .seconds(9)
        )
        let reply = try await client.send(BulkScripts.accept(acceptance, keys: QueueKeys()))
        #expect(reply.elements?.first?.text == "gone")
        #expect(try await RedisQueueTests.keys(client).subtracting(["nereid:job:\(id):names"]).isEmpty)
    }

    @Test("are listed, the newest first, page by page")
    func list() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let store = try Self.store(server)
        defer { store.shutDown() }
        var ids: [String] = []
        for _ in 0..<5 {
            ids.append(try await store.accept(try Self.order(1)).job.id)
            // Jobs of one millisecond have no order.
            try await Task.sleep(for: .milliseconds(2))
        }
        ids.reverse()
        #expect(try await store.jobs(before: nil, limit: 9).map(\.id) == ids)
        #expect(try await store.jobs(before: nil, limit: 2).map(\.id) == Array(ids[0..<2]))
        #expect(try await store.jobs(before: ids[1], limit: 2).map(\.id) == Array(ids[2..<4]))
        #expect(try await store.remove(ids[2]))
        // A job that is there no more still has its place.
        #expect(try await store.jobs(before: ids[2], limit: 9).map(\.id) == Array(ids[3...]))
        #expect(try await store.jobs(before: nil, limit: 0).isEmpty)
        #expect(try await store.jobs(before: "0", limit: 9).isEmpty)
        for nonsense in ["", "no such job", "\(ids[0]):results", ids[2]] {
            #expect(try await store.job(nonsense) == nil)
            #expect(try await store.results(of: nonsense, after: 0, limit: 9).isEmpty)
            #expect(try await !store.remove(nonsense))
        }
    }

    @Test("tell thousands who wait for changes over one connection, and wait without asking")
    func changes() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let store = try Self.store(server)
        defer { store.shutDown() }
        let (job, other) = (
            try await store.accept(try Self.order(2)).job, try await store.accept(try Self.order(1)).job
        )
        try await store.waitForChange(of: other.id, after: 0, until: .now + .milliseconds(20))
        // Nobody waits for what there is already, nor for what is not there.
        try await store.waitForChange(of: other.id, after: -1, until: .now + .seconds(60))
        try await store.waitForChange(of: BulkID.make(at: 1), after: 0, until: .now + .seconds(60))
        let entry = try #require(
            try await client.send(RedisCommand("XRANGE", "nereid:bulk:blocks-v8", "-", "+", "COUNT", 1)).elements?.first
                .flatMap(StreamEntry.init)
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2000 {
                group.addTask { try await store.waitForChange(of: job.id, after: 0, until: .now + .seconds(60)) }
            }
            let gone = Task { try await store.waitForChange(of: other.id, after: 0, until: .now + .seconds(60)) }
            // All have asked once, and their reader waits.
            try await RedisQueueTests.until {
                let info = try await client.send(RedisCommand("INFO", "commandstats")).text ?? ""
                let asked = info.firstMatch(of: /cmdstat_hmget:calls=(\d+)/).flatMap { Int($0.1) } ?? 0
                let clients = try await client.send(RedisCommand("CLIENT", "LIST")).text ?? ""
                return asked >= 2000 && clients.contains("cmd=xread")
            }
            let clients = try await client.send(RedisCommand("CLIENT", "LIST")).text ?? ""
            #expect(clients.split(separator: "\n").count == 3)
            let finish = QueueScripts.finish(
                try JobEntry(fields: entry.fields),
                id: entry.id,
                in: JobStream(model: "blocks-v8", lane: .bulk),
                answer: StoredAnswer(json: ByteBuffer(string: "{}"), isError: false),
                keptFor: .seconds(9),
                keys: QueueKeys()
            )
            #expect(try await client.send(finish) == .integer(1))
            try await group.waitForAll()
            #expect(try await store.remove(other.id))
            try await gone.value
        }
        let waiting = Task { try await store.waitForChange(of: job.id, after: 1, until: .now + .seconds(60)) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        let last = Task { try await store.waitForChange(of: job.id, after: 1, until: .now + .seconds(60)) }
        store.shutDown()
        _ = await last.result
    }
}
