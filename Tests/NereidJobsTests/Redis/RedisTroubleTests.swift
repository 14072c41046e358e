// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOCore
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs

@Suite(
    "A Redis that hangs or is full",
    .enabled(if: RedisServer.isInstalled, RedisServer.missing),
    .timeLimit(.minutes(2))
)
struct RedisTroubleTests {
    @Test("does not hold up a call about jobs for longer than the time of a request")
    func hanging() async throws {
        let server = try await RedisServer()
        defer {
            server.goOn()
            server.kill()
        }
        let store = RedisJobStore(
            try server.address(),
            timeout: .milliseconds(200),
            settings: RedisQueueTests.settings,
            logger: RedisClientTests.quiet
        )
        defer { store.shutDown() }
        let patient = try RedisJobStoreTests.store(server)
        defer { patient.shutDown() }
        let job = try await patient.accept(try RedisJobStoreTests.order(2)).job
        let (id, other) = (job.id, try await patient.accept(try RedisJobStoreTests.order(1)).job.id)
        server.hang()
        let calls: [@Sendable () async throws -> Void] = [
            { _ = try await store.job(id) },
            { _ = try await store.jobs(before: nil, limit: 10) },
            { _ = try await store.results(of: id, after: 0, limit: 10, bytes: 1000) },
            { _ = try await store.remove(other) },
            { _ = try await store.accept(try RedisJobStoreTests.order(2, key: "k")) },
            { try await store.waitForChange(of: id, after: 0, until: .now + .seconds(60)) },
            { _ = try await store.dueNotice(lease: .seconds(1)) },
            { try await store.settleNotice(of: other, as: .delivered, retry: nil) },
        ]
        for call in calls {
            // Without a bound each takes the ten seconds after which a connection counts as dead.
            let error = await #expect(throws: BulkError.self) {
                let ended: Void? = try await value(before: .now + .seconds(8), of: call)
                try #require(ended != nil, "it has not ended in time")
            }
            guard case .unavailable(let reason) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(reason.contains("Redis has not replied within 0.2 seconds"))
        }
        server.goOn()
        try await RedisQueueTests.until { (try? await patient.job(id)) == job }
    }

    @Test("does not hold up a request beyond its deadline")
    func hangingRequest() async throws {
        let server = try await RedisServer()
        defer {
            server.goOn()
            server.kill()
        }
        let client = try RedisClientTests.client(server.url)
        let queue = try RedisQueueTests.queue(server)
        let announcement =
            #"{"worker":"w","host":"h","software":"s","models":[{"name":"blocks-v8","task":"detect","labels":["red"]}]}"#
        try await client.send(RedisCommand("SADD", "nereid:workers", "w"))
        try await client.send(RedisCommand("SET", "nereid:worker:w", .text(announcement)))
        try await RedisQueueTests.running([queue]) {
            let model = try await RedisQueueTests.remote("blocks-v8", in: queue)
            let job = RedisQueueTests.job(try Fixtures.picture(), for: model, within: .seconds(2))
            let submission = Task { try await queue.submit(job) }
            try await RedisQueueTests.until {
                try await client.send(RedisCommand("XLEN", "nereid:jobs:blocks-v8")) == .integer(1)
            }
            // The gateway knows the entry when its own reply is there.
            try await RedisQueueTests.until { queue.load(of: "blocks-v8").waiting == 1 }
            server.hang()
            defer { server.goOn() }
            let ended = try await value(before: .now + .seconds(8)) { await submission.result }
            let result = try #require(ended, "it has not ended in time")
            #expect(throws: JobError.self) { try result.get() }
        }
    }

    /// Lets Redis hold less than it does.
    static func fill(_ client: RedisClient) async throws {
        try await client.send(RedisCommand("CONFIG", "SET", "maxmemory", 1))
        guard case .error(let reason) = try await client.send([RedisCommand("SET", "a", "b")])[0] else {
            Issue.record("there is room")
            return
        }
        #expect(reason.saysRedisIsFull)
    }

    @Test(
        "keeps what is accepted going: workers stay known, answers are kept, jobs are read and deleted; what is new is refused"
    )
    func full() async throws {
        let server = try await RedisServer(["--maxmemory-policy", "noeviction"])
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let model = try await Fixtures.served("blocks-v8")
        let queue = try RedisQueueTests.queue(server)
        let store = try RedisJobStoreTests.store(server)
        defer { store.shutDown() }
        let memory = BulkError.full(limit: "Redis has as much as it may hold", setting: "maxmemory")
        let first = try await store.accept(try RedisJobStoreTests.order(4)).job
        let second = try await store.accept(try RedisJobStoreTests.order(2)).job
        try await Self.fill(client)
        let worker = try RedisQueueTests.worker(server, model)
        try await RedisQueueTests.running([queue, worker]) {
            // A worker that comes now is known, and does what waits.
            let remote = try await RedisQueueTests.remote("blocks-v8", in: queue)
            let results = try await RedisJobStoreTests.finished(first.id, in: store)
            #expect(results.count == 4)
            for result in results { #expect(try RedisJobStoreTests.isRight(result)) }
            #expect(try await RedisJobStoreTests.finished(second.id, in: store).count == 2)
            // Small pictures stand in the entry, larger ones under a key.
            for picture in [try Fixtures.picture(), ByteBuffer(repeating: 7, count: 100_000)] {
                await #expect(throws: JobError.redisFull(model: "blocks-v8")) {
                    try await queue.submit(RedisQueueTests.job(picture, for: remote))
                }
            }
            await #expect(throws: memory) { try await store.accept(try RedisJobStoreTests.order(2)) }
            await #expect(throws: memory) { try await store.accept(try RedisJobStoreTests.order(2, key: "k")) }
            #expect(try await store.jobs(before: nil, limit: 9).count == 2)
            #expect(try await store.remove(first.id))
            #expect(try await store.dueNotice(lease: .seconds(1)) == nil)
            try await store.settleNotice(of: second.id, as: .delivered, retry: nil)
            // What a worker says of itself is written though there is no room for it.
            let said = "nereid:worker:\(worker.name)"
            try await client.send(RedisCommand("DEL", .text(said)))
            try await RedisQueueTests.until {
                try await client.send(RedisCommand("EXISTS", .text(said))) == .integer(1)
            }
            #expect(worker.obstacle == nil)
        }
    }

    @Test("is known by its words, before Redis 7 and since")
    func words() {
        let said = [
            "OOM command not allowed when used memory > 'maxmemory'.",
            "OOM command not allowed when used memory > 'maxmemory'. script: 1a, on @user_script:1.",
            "ERR Error running script (call to f_1a): @user_script:9: @user_script: 9: -OOM command not allowed when used memory > 'maxmemory'.",
        ]
        for reason in said { #expect(RedisError.refused(reason).isFull) }
        #expect(!RedisError.refused("WRONGTYPE OOM").isFull && !RedisError.closed.isFull)
        #expect(
            BulkError(RedisError.refused(said[2]))
                == .full(limit: "Redis has as much as it may hold", setting: "maxmemory")
        )
    }
}
