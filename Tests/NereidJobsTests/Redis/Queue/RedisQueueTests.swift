// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOCore
import NereidImaging
import NereidModels
import NereidVision
import ServiceLifecycle
import Testing

@testable import NereidJobs

@Suite("Queue in Redis", .enabled(if: RedisServer.isInstalled, RedisServer.missing), .timeLimit(.minutes(2)))
struct RedisQueueTests {
    /// As the usual settings, only faster; but not so fast that a busy machine takes a worker for dead.
    static let settings = {
        var settings = RedisQueueSettings()
        settings.pulse = .milliseconds(50)
        settings.workerLife = .seconds(1)
        settings.claimAfter = .milliseconds(800)
        return settings
    }()

    static func queue(_ server: RedisServer, _ limits: QueueLimits = .init()) throws -> RedisQueue {
        RedisQueue(
            try server.address(),
            limits: limits,
            settings: settings,
            imaging: Fixtures.imaging,
            logger: RedisClientTests.quiet
        )
    }

    /// - Parameter claimAfter: where a job that is taken over only because this machine is busy must not count.
    static func worker(
        _ server: RedisServer,
        _ models: ServedModel...,
        claimAfter: Duration = settings.claimAfter
    ) throws -> RedisWorker {
        var settings = settings
        settings.claimAfter = claimAfter
        return RedisWorker(
            try server.address(),
            worker: Worker(imaging: Fixtures.imaging),
            models: { models },
            host: "reef",
            software: "nereid test",
            settings: settings,
            logger: RedisClientTests.quiet
        )
    }

    /// Runs services while a test goes on, and ends them as a signal would.
    static func running(_ services: [any Service], _ body: @escaping @Sendable () async throws -> Void) async throws {
        let group = ServiceGroup(services: services, logger: RedisClientTests.quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                defer { Task { await group.triggerGracefulShutdown() } }
                try await body()
            }
            // A service that fails ends the test, too.
            while try await tasks.next() != nil {}
        }
    }

    /// Lets others go on until something holds.
    static func until(_ condition: () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(5)) }
    }

    static func remote(_ name: String, in queue: RedisQueue) async throws -> JobModel {
        try await until { queue.catalogue.models.contains { $0.name == name } }
        return .remote(try queue.catalogue.model(named: name))
    }

    static func job(_ picture: ByteBuffer, for model: JobModel, within time: Duration = .seconds(60)) -> Job {
        Job(id: "test", model: model, picture: picture, deadline: .now + time)
    }

    /// A model that no worker serves.
    static let absent = JobModel.remote(
        RemoteModel(
            name: "absent",
            aliases: [],
            task: .detect,
            labels: Labels(["red"]),
            ignoresOrientation: false,
            workers: []
        )
    )

    /// Everything that Redis holds, but for what workers say of themselves.
    static func keys(_ client: RedisClient) async throws -> Set<String> {
        Set(try await client.send(RedisCommand("KEYS", "*")).elements?.compactMap(\.text) ?? [])
    }

    @Test("answers as the embedded queue does, small pictures and large ones, and leaves nothing behind")
    func answers() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let model = try await Fixtures.served("blocks-v8")
        let queue = try Self.queue(server)
        let embedded = EmbeddedQueueTests.queue()
        let small = try Fixtures.picture(column: 3, row: 2)
        let large = try Self.noise(width: 320, height: 240)
        #expect(small.readableBytes < JobEntry.mostInlineBytes && large.readableBytes > JobEntry.mostInlineBytes)
        try await Self.running([queue, try Self.worker(server, model)]) {
            let remote = try await Self.remote("blocks-v8", in: queue)
            for picture in [small, large] {
                let far = try await queue.submit(Self.job(picture, for: remote))
                let near = try await embedded.submit(Job(picture, for: model))
                #expect(far.detections == near.detections && far.size == near.size && far.task == near.task)
                #expect(far.timing.inference > .zero && far.timing.decode > .zero)
                #expect(far.picture == nil)
            }
            let drawn = Job(
                id: "test",
                model: remote,
                picture: large,
                deadline: .now + .seconds(60),
                keepsPicture: true
            )
            #expect(try await queue.submit(drawn).picture?.size == PixelSize(width: 320, height: 240))
            await #expect(throws: ImagingError.notAPicture) {
                try await queue.submit(Self.job(ByteBuffer(string: "not a picture"), for: remote))
            }
            try await Self.until { queue.load(of: "blocks-v8") == .idle }
            let client = try RedisClientTests.client(server.url)
            #expect(try await client.send(RedisCommand("XLEN", "nereid:jobs:blocks-v8")) == .integer(0))
            #expect(try await Self.keys(client).filter { $0.contains("picture") || $0.contains("bytes") } == [])
        }
        // All have said goodbye.
        let left = try await Self.keys(try RedisClientTests.client(server.url))
        let known = left.filter { $0.hasPrefix("nereid:description:") }
        #expect(left.subtracting(known) == ["nereid:jobs:blocks-v8", "nereid:bulk:blocks-v8"])
        #expect(known.count == 1)
    }

    /// A picture that does not become small as a file.
    static func noise(width: Int, height: Int) throws -> ByteBuffer {
        var generator = SystemRandomNumberGenerator()
        let pixels = (0..<width * height * 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return try Picture(width: width, height: height, pixels: pixels).encoded(as: .png)
    }

    @Test("gives many at once each their own answer, from several gateways to several workers")
    func many() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let model = try await Fixtures.served("blocks-v8", maxBatch: 4)
        let queues = [try Self.queue(server), try Self.queue(server)]
        let workers = [try Self.worker(server, model), try Self.worker(server, model)]
        try await Self.running(queues + workers) {
            let remote = try await Self.remote("blocks-v8", in: queues[0])
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        let (column, row) = (number % 10, number / 10)
                        let picture = try Fixtures.picture(column: column, row: row)
                        let answer = try await queues[number % 2].submit(Self.job(picture, for: remote))
                        return answer.detections.map(\.box) == [
                            Box(
                                x1: Float(column * 16),
                                y1: Float(row * 16),
                                x2: Float(column * 16 + 16),
                                y2: Float(row * 16 + 16)
                            )
                        ]
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test("refuses jobs, saying why, while as many or as large ones wait as may")
    func full() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        for (limits, expected) in [
            (
                QueueLimits(jobs: 2),
                JobError.queueFull(model: "absent", limit: "at most 2 may wait", setting: "queue_jobs")
            ),
            (
                QueueLimits(bytes: 50_000),
                JobError.queueFull(
                    model: "absent",
                    limit: "at most 50000 bytes of pictures may wait",
                    setting: "queue_bytes"
                )
            ),
        ] {
            try await client.send(RedisCommand("FLUSHALL"))
            let queue = try Self.queue(server, limits)
            let picture = ByteBuffer(repeating: 7, count: 20_000)
            try await Self.running([queue]) {
                let waiting = (0..<2).map { _ in Task { try await queue.submit(Self.job(picture, for: Self.absent)) } }
                try await Self.until {
                    try await client.send(RedisCommand("XLEN", "nereid:jobs:absent")) == .integer(2)
                }
                await #expect(throws: expected) { try await queue.submit(Self.job(picture, for: Self.absent)) }
                // A refused picture is not kept.
                #expect(try await Self.keys(client).filter { $0.contains("picture") }.count == 2)
                #expect(try await client.send(RedisCommand("GET", "nereid:bytes:absent")).integer == 40_000)
                for task in waiting { task.cancel() }
                for task in waiting { await #expect(throws: CancellationError.self) { try await task.value } }
                try await Self.until {
                    try await client.send(RedisCommand("XLEN", "nereid:jobs:absent")) == .integer(0)
                }
                #expect(try await Self.keys(client).filter { $0.contains("picture") || $0.contains("bytes") } == [])
            }
        }
    }

    @Test("gives up jobs at their deadline, begun or not")
    func deadline() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let queue = try Self.queue(server)
        let engine = GatedEngine()
        let model = try await Fixtures.served("blocks-v8", on: engine)
        let picture = try Fixtures.picture()
        try await Self.running([queue, try Self.worker(server, model)]) {
            await #expect(throws: JobError.deadlinePassed(model: "absent", hadBegun: false)) {
                try await queue.submit(Self.job(picture, for: Self.absent, within: .milliseconds(50)))
            }
            try await Self.until { try await client.send(RedisCommand("XLEN", "nereid:jobs:absent")) == .integer(0) }
            let remote = try await Self.remote("blocks-v8", in: queue)
            engine.gate.close()
            await #expect(throws: JobError.deadlinePassed(model: "blocks-v8", hadBegun: true)) {
                try await queue.submit(Self.job(picture, for: remote, within: .seconds(2)))
            }
            engine.gate.open()
            #expect(try await queue.submit(Self.job(picture, for: remote)).detections.isEmpty)
        }
    }

    @Test("does not run what a requester has waited for too long already")
    func lateJob() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        _ = try await client.send([
            RedisCommand("XGROUP", "CREATE", "nereid:jobs:blocks-v8", "workers", "0", "MKSTREAM"),
            RedisCommand(
                "XADD",
                "nereid:jobs:blocks-v8",
                "*",
                "job",
                "1",
                "timeout_ms",
                "0",
                "reply",
                "r",
                "picture",
                "x"
            ),
        ])
        let model = try await Fixtures.served("blocks-v8")
        try await Self.running([try Self.worker(server, model)]) {
            try await Self.until { try await client.send(RedisCommand("XLEN", "r")) == .integer(1) }
        }
        let answer = try await client.send(RedisCommand("XRANGE", "r", "-", "+"))
        let json = try #require(answer.elements?.first?.elements?.last?.elements?.last?.bytes)
        #expect(throws: JobError.deadlinePassed(model: "m", hadBegun: false)) {
            try AnswerMessage(json: json).answer(from: "m")
        }
    }
}
