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

@Suite("Jobs of dead workers", .enabled(if: RedisServer.isInstalled, RedisServer.missing), .timeLimit(.minutes(2)))
struct LostJobsTests {
    /// Takes one job as a worker that dies at once would.
    static func takeAndDie(_ client: RedisClient, as name: String) async throws {
        let connection = try await client.ownConnection()
        defer { connection.close() }
        let reply = try await connection.send(
            RedisCommand(
                "XREADGROUP",
                "GROUP",
                "workers",
                .text(name),
                "COUNT",
                1,
                "BLOCK",
                10_000,
                "STREAMS",
                "nereid:jobs:blocks-v8",
                ">"
            ),
            blocking: .seconds(10)
        )
        #expect(reply.elements?.count == 1)
    }

    static func makeGroup(_ client: RedisClient) async throws {
        try await client.send(
            RedisCommand("XGROUP", "CREATE", "nereid:jobs:blocks-v8", "workers", "0", "MKSTREAM")
        )
    }

    static func remote(_ model: ServedModel) -> JobModel {
        .remote(
            RemoteModel(
                name: model.name,
                aliases: [],
                task: .detect,
                labels: model.vision.labels,
                ignoresOrientation: false,
                workers: []
            )
        )
    }

    @Test("are done by others")
    func takenOver() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        try await Self.makeGroup(client)
        let queue = try RedisQueueTests.queue(server)
        let model = try await Fixtures.served("blocks-v8")
        try await RedisQueueTests.running([queue]) {
            let answer = Task {
                try await queue.submit(RedisQueueTests.job(Fixtures.picture(column: 4), for: Self.remote(model)))
            }
            try await Self.takeAndDie(client, as: "dead")
            try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
                let detections = try await answer.value.detections
                #expect(detections.map(\.box.x1) == [64])
            }
            let pending = try await client.send(RedisCommand("XPENDING", "nereid:jobs:blocks-v8", "workers"))
            #expect(pending.elements?.first == .integer(0))
            #expect(try await client.send(RedisCommand("EXISTS", "nereid:dead:blocks-v8")) == .integer(0))
        }
    }

    @Test("are given up after three workers, with the reason, while others flow, and can be tried again")
    func deadLetter() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        try await Self.makeGroup(client)
        let queue = try RedisQueueTests.queue(server)
        let model = try await Fixtures.served("blocks-v8")
        let picture = ByteBuffer(repeating: 1, count: 30_000)
        try await RedisQueueTests.running([queue]) {
            let poison = Task { try await queue.submit(RedisQueueTests.job(picture, for: Self.remote(model))) }
            try await Self.takeAndDie(client, as: "first")
            for name in ["second", "third"] {
                let reply = try await client.send(
                    RedisCommand("XAUTOCLAIM", "nereid:jobs:blocks-v8", "workers", .text(name), 0, "0-0", "COUNT", 1)
                )
                #expect(reply.elements?[1].elements?.count == 1)
            }
            try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
                let good = try await queue.submit(RedisQueueTests.job(Fixtures.picture(), for: Self.remote(model)))
                #expect(good.detections.count == 1)
                await #expect(throws: JobError.abandoned(model: "blocks-v8", deliveries: 3)) { try await poison.value }
            }
            #expect(try await client.send(RedisCommand("XLEN", "nereid:jobs:blocks-v8")) == .integer(0))
            let letters = try await client.send(RedisCommand("XRANGE", "nereid:dead:blocks-v8", "-", "+")).elements
            let letter = try #require(letters?.first?.elements)
            let fields = letter[1].elements?.compactMap(\.text) ?? []
            #expect(letters?.count == 1)
            #expect(fields.suffix(2).first == "reason")
            #expect(fields.last?.hasPrefix("3 workers of model ‘blocks-v8’ have ended") == true)
            let key = try #require(fields.firstIndex(of: "picture_key").map { fields[$0 + 1] })
            #expect(try await client.send(RedisCommand("GET", .text(key))) == .bytes(picture))
            #expect(try await client.send(RedisCommand("EXISTS", "nereid:bytes:blocks-v8")) == .integer(0))
        }
    }

    @Test(
        "whose deadline has passed are dead letters when two workers have ended with them, and only late when one has",
        arguments: [(["first"], 0), (["first", "second"], 1)]
    )
    func latePoison(deaths: [String], letters: Int) async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        try await Self.makeGroup(client)
        let entry = JobEntry(
            job: "1",
            request: "r-1",
            options: .init(),
            timeout: .milliseconds(1),
            reply: "r",
            bytes: 1,
            picture: .inline(ByteBuffer(string: "x"))
        )
        let stream = JobStream(model: "blocks-v8", lane: .interactive)
        try await client.send(QueueScripts.add(entry, to: stream, limits: .init(), keys: QueueKeys()))
        try await Self.takeAndDie(client, as: deaths[0])
        for name in deaths.dropFirst() {
            try await client.send(
                RedisCommand("XAUTOCLAIM", "nereid:jobs:blocks-v8", "workers", .text(name), 0, "0-0", "COUNT", 1)
            )
        }
        let model = try await Fixtures.served("blocks-v8")
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            try await RedisQueueTests.until { try await client.send(RedisCommand("XLEN", "r")) == .integer(1) }
        }
        #expect(try await client.send(RedisCommand("XLEN", "nereid:dead:blocks-v8")) == .integer(letters))
        let reply = try await client.send(RedisCommand("XRANGE", "r", "-", "+"))
        let json = try #require(reply.elements?.first.flatMap(StreamEntry.init)?.values["answer"]?.bytes)
        let expected: JobError =
            letters == 0
            ? .deadlinePassed(model: "m", hadBegun: false) : .abandoned(model: "m", deliveries: deaths.count)
        #expect(throws: expected) { try AnswerMessage(json: json).answer(from: "m") }
    }

    @Test("that are no jobs are given up at once")
    func malformed() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        try await Self.makeGroup(client)
        try await client.send(RedisCommand("XADD", "nereid:jobs:blocks-v8", "*", "job", "1", "reply", "r"))
        let model = try await Fixtures.served("blocks-v8")
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            try await RedisQueueTests.until { try await client.send(RedisCommand("XLEN", "r")) == .integer(1) }
        }
        #expect(try await client.send(RedisCommand("XLEN", "nereid:dead:blocks-v8")) == .integer(1))
        let answer = try await client.send(RedisCommand("XRANGE", "r", "-", "+"))
        let json = try #require(answer.elements?.first?.elements?.last?.elements?.last?.text)
        #expect(json.contains("picture") && json.contains("docs/queue.md"))
    }

    @Test("are answered once, whoever finishes first")
    func answeredOnce() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let keys = QueueKeys()
        let stream = JobStream(model: "m", lane: .interactive)
        let entry = JobEntry(
            job: "1",
            request: "1",
            options: .init(),
            timeout: .seconds(9),
            reply: "r",
            bytes: 1,
            picture: .inline(ByteBuffer(string: "x"))
        )
        let id = try await client.send(QueueScripts.add(entry, to: stream, limits: .init(), keys: keys)).text
        let finish = QueueScripts.finish(
            entry,
            id: try #require(id),
            in: stream,
            answer: StoredAnswer(json: ByteBuffer(string: "{}"), isError: false),
            keptFor: .seconds(9),
            keys: keys
        )
        #expect(try await client.send(finish) == .integer(1))
        #expect(try await client.send(finish) == .integer(0))
        #expect(try await client.send(RedisCommand("XLEN", "r")) == .integer(1))
        #expect(try await client.send(RedisCommand("EXISTS", "nereid:bytes:m")) == .integer(0))
    }

    @Test("survive a restart of Redis that writes to a file, and so do those who wait")
    func restart() async throws {
        let server = try await RedisServer(["--appendonly", "yes", "--appendfsync", "always"])
        defer { server.kill() }
        let queue = try RedisQueueTests.queue(server)
        let model = try await Fixtures.served("blocks-v8")
        let client = try RedisClientTests.client(server.url)
        let worker = try RedisQueueTests.worker(server, model)
        try await RedisQueueTests.running([queue]) {
            let waiting = (0..<10).map { number in
                Task {
                    try await queue.submit(
                        RedisQueueTests.job(Fixtures.picture(column: number), for: Self.remote(model))
                    )
                }
            }
            try await RedisQueueTests.until {
                try await client.send(RedisCommand("XLEN", "nereid:jobs:blocks-v8")) == .integer(10)
            }
            server.kill()
            let again = try await server.restarted()
            defer { again.kill() }
            try await RedisQueueTests.running([worker]) {
                for (number, task) in waiting.enumerated() {
                    #expect(try await task.value.detections.map(\.box.x1) == [Float(number * 16)])
                }
                let next = try await queue.submit(RedisQueueTests.job(Fixtures.picture(), for: Self.remote(model)))
                #expect(next.detections.count == 1)
            }
        }
    }
}
