// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOCore
import NereidImaging
import NereidModels
import NereidVision
import ServiceLifecycle
import Synchronization
import Testing

@testable import NereidJobs

/// Workers that come and go, and what Redis may refuse.
extension RedisQueueTests {
    @Test("follows workers that come and go")
    func catalogue() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let (blocks, slow) = (try await Fixtures.served("blocks-v8"), try await Fixtures.served("slow"))
        let (first, second) = (try Self.worker(server, blocks), try Self.worker(server, blocks, slow))
        try await Self.running([queue]) {
            try await Self.until { queue.obstacle == nil }
            #expect(queue.catalogue.models.isEmpty)
            #expect(throws: ModelsError.notFound(name: "reef", served: [])) { try queue.catalogue.model(named: "reef") }
            try await Self.running([first]) {
                try await Self.until { queue.catalogue.models.map(\.name) == ["blocks-v8"] }
                let model = try queue.catalogue.model(named: "blocks-v8")
                #expect(model.labels == blocks.vision.labels && model.task == .detect)
                #expect(model.workers.map(\.worker) == [first.name])
                #expect(model.workers.map(\.host) == ["reef"] && model.workers.map(\.device) == ["cpu"])
                try await Self.running([second]) {
                    try await Self.until {
                        try queue.catalogue.models.map(\.name) == ["blocks-v8", "slow"]
                            && queue.catalogue.model(named: "blocks-v8").workers.map(\.worker)
                                == [first.name, second.name].sorted()
                    }
                }
                try await Self.until { queue.catalogue.models.map(\.name) == ["blocks-v8"] }
            }
            try await Self.until { queue.catalogue.models.isEmpty }
            // One that was killed says no goodbye; what it said fades.
            let client = try RedisClientTests.client(server.url)
            let said = WorkerAnnouncement(
                worker: "w",
                host: "h",
                software: "s",
                models: [.init(name: "reef", task: "detect", labels: ["urchin"])]
            )
            _ = try await client.send([
                RedisCommand("SADD", "nereid:workers", "w"),
                RedisCommand("SET", "nereid:worker:w", .bytes(try said.json()), "PX", 2000),
            ])
            try await Self.until { queue.catalogue.models.map(\.name) == ["reef"] }
            try await Self.until { queue.catalogue.models.isEmpty }
            #expect(try await client.send(RedisCommand("SCARD", "nereid:workers")) == .integer(0))
        }
    }

    @Test("knows within two seconds that a worker was killed, whenever that was")
    func killedWorker() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        // The usual settings, on both sides: what a killed worker leaves is its last word.
        let (settings, client) = (RedisQueueSettings(), try RedisClientTests.client(server.url))
        let queue = RedisQueue(try server.address(), imaging: Fixtures.imaging, logger: RedisClientTests.quiet)
        let description = try WorkerDescription([.init(name: "reef", task: "detect", labels: ["urchin"])])
        try await client.send(
            RedisCommand("SET", .text(QueueKeys().description(description.digest)), .bytes(description.json))
        )
        #expect(settings.workerLife + settings.pulse <= .milliseconds(1500))
        /// How long after its last word a worker is listed; for ever, if the gateway was too late to see it at all.
        @Sendable func timeListed(_ worker: String) async throws -> Duration {
            let said = WorkerAnnouncement(
                worker: worker,
                host: "h",
                software: "s",
                description: description.digest,
                running: [:]
            )
            let life = RedisCommand.Argument.integer(settings.workerLife.milliseconds)
            let end = ContinuousClock.now
            _ = try await client.send([
                RedisCommand("SADD", "nereid:workers", .text(worker)),
                RedisCommand("SET", .text(QueueKeys().worker(worker)), .bytes(try said.json()), "PX", life),
            ])
            var wasSeen = false
            try await Self.until {
                wasSeen = wasSeen || !queue.catalogue.models.isEmpty
                let isGone =
                    try await client.send(RedisCommand("EXISTS", .text(QueueKeys().worker(worker)))) == .integer(0)
                return isGone && queue.catalogue.models.isEmpty
            }
            return wasSeen ? ContinuousClock.now - end : .seconds(60)
        }
        try await Self.running([queue]) {
            for delay in [0, 100, 200] {
                // The last word comes at any moment between two looks of the gateway.
                try await Task.sleep(for: .milliseconds(delay))
                var shortest = try await timeListed("w\(delay)")
                // A machine that is busy with other tests is late with everything; one that is not, never.
                for attempt in 0..<10 where shortest >= .seconds(2) {
                    shortest = min(shortest, try await timeListed("w\(delay)-\(attempt)"))
                }
                #expect(shortest < .seconds(2))
            }
        }
    }

    @Test("hears of a worker's labels once, and again when Redis has lost them")
    func descriptions() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let queue = try Self.queue(server)
        let (blocks, slow) = (try await Fixtures.served("blocks-v8"), try await Fixtures.served("slow"))
        let served = Mutex([blocks])
        let worker = RedisWorker(
            try server.address(),
            worker: Worker(imaging: Fixtures.imaging),
            models: { served.withLock(\.self) },
            host: "reef",
            software: "nereid test",
            settings: Self.settings,
            logger: RedisClientTests.quiet
        )
        @Sendable func descriptions() async throws -> [String] {
            try await Self.keys(client).filter { $0.hasPrefix("nereid:description:") }.sorted()
        }
        try await Self.running([queue, worker]) {
            _ = try await Self.remote("blocks-v8", in: queue)
            let first = try await descriptions()
            #expect(first.count == 1)
            var pulse = ""
            try await Self.until {
                pulse = try await client.send(RedisCommand("GET", .text(QueueKeys().worker(worker.name)))).text ?? ""
                return !pulse.isEmpty
            }
            #expect(!pulse.contains(blocks.vision.labels.names[0]) && pulse.utf8.count < 200)
            try await client.send(RedisCommand("DEL", .text(first[0])))
            try await Self.until { try await descriptions() == first }
            served.withLock { $0 = [blocks, slow] }
            try await Self.until { queue.catalogue.models.map(\.name) == ["blocks-v8", "slow"] }
            #expect(try await descriptions().count == 2)
        }
    }

    @Test("finishes what a worker has when it is asked to stop, and takes no more")
    func gracefulStop() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let engine = GatedEngine()
        let model = try await Fixtures.served("blocks-v8", on: engine)
        let worker = try Self.worker(server, model)
        let picture = try Fixtures.picture()
        let client = try RedisClientTests.client(server.url)
        try await Self.running([queue]) {
            let group = ServiceGroup(services: [worker], logger: RedisClientTests.quiet)
            let service = Task { try await group.run() }
            let remote = try await Self.remote("blocks-v8", in: queue)
            engine.gate.close()
            let begun = Task { try await queue.submit(Self.job(picture, for: remote)) }
            try await Self.until { worker.running == 1 }
            await group.triggerGracefulShutdown()
            try await Self.until { worker.hand.isStopping && worker.hand.reading.isEmpty }
            let later = Task { try await queue.submit(Self.job(picture, for: remote)) }
            try await Self.until { try await client.send(RedisCommand("XLEN", "nereid:jobs:blocks-v8")) == .integer(2) }
            // It is kept from being taken for lost while it is finished.
            try await Task.sleep(for: Self.settings.claimAfter * 2)
            let pending = try await client.send(RedisCommand("XPENDING", "nereid:jobs:blocks-v8", "workers"))
            #expect(pending.elements?.first == .integer(1))
            engine.gate.open()
            #expect(try await begun.value.detections.isEmpty)
            try await service.value
            #expect(try await client.send(RedisCommand("XLEN", "nereid:jobs:blocks-v8")) == .integer(1))
            try await Self.running([try Self.worker(server, model)]) {
                let detections = try await later.value.detections
                #expect(detections.isEmpty)
            }
        }
    }

    @Test("refuses jobs, and loses none, when Redis has as much as it may hold")
    func outOfMemory() async throws {
        let server = try await RedisServer(["--maxmemory", "6mb", "--maxmemory-policy", "noeviction"])
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let queue = try Self.queue(server)
        let model = try await Fixtures.served("blocks-v8")
        let expected = JobError.queueFull(
            model: "absent",
            limit: "Redis has as much as it may hold",
            setting: "maxmemory"
        )
        try await Self.running([queue]) {
            let waiting = Task { try await queue.submit(Self.job(Fixtures.picture(), for: .loaded(model))) }
            try await Self.until { try await client.send(RedisCommand("XLEN", "nereid:jobs:blocks-v8")) == .integer(1) }
            let large = ByteBuffer(repeating: 1, count: 6_000_000)
            let other = Task { try await queue.submit(Self.job(large, for: Self.absent)) }
            await #expect(throws: expected) { try await other.value }
            try await Self.until { try await Self.keys(client).filter { $0.contains("picture") }.isEmpty }
            try await Self.fill(client)
            await #expect(throws: expected) { try await queue.submit(Self.job(large, for: Self.absent)) }
            // Full or not, Redis takes answers.
            try await Self.running([try Self.worker(server, model)]) {
                let detections = try await waiting.value.detections
                #expect(detections.count == 1)
            }
        }
    }

    /// Puts ever smaller things into Redis until nothing more fits.
    private static func fill(_ client: RedisClient) async throws {
        for size in [500_000, 20_000, 1000, 1] {
            let bytes = ByteBuffer(repeating: 1, count: size)
            for number in 0..<100_000 {
                let reply = try await client.send([RedisCommand("SET", "\(size) \(number)", .bytes(bytes))])[0]
                if case .error = reply { break }
            }
        }
    }

    @Test("needs no more rights than docs/queue.md names")
    func rights() async throws {
        let document = try String(contentsOfFile: Self.document, encoding: .utf8)
        let line = try #require(document.split(separator: "\n").first { $0.contains("ACL SETUSER nereid ") })
        let rights = line.split(separator: " ").drop { $0 != "nereid" }.map(String.init)
        let server = try await RedisServer(["--user"] + rights.map { $0 == ">PASSWORD" ? ">secret" : $0 })
        defer { server.kill() }
        let address = try RedisAddress(parsing: "redis://nereid:secret@127.0.0.1:\(server.port)")
        let model = try await Fixtures.served("blocks-v8")
        let quiet = RedisClientTests.quiet
        let queue = RedisQueue(address, settings: Self.settings, imaging: Fixtures.imaging, logger: quiet)
        let store = RedisJobStore(address, settings: Self.settings, logger: quiet)
        defer { store.shutDown() }
        let worker = RedisWorker(
            address,
            worker: Worker(imaging: Fixtures.imaging),
            models: { [model] },
            host: "reef",
            software: "nereid test",
            settings: Self.settings,
            logger: quiet
        )
        try await Self.running([queue, worker]) {
            let remote = try await Self.remote("blocks-v8", in: queue)
            let large = try Self.noise(width: 320, height: 240)
            #expect(try await queue.submit(Self.job(large, for: remote)).size == PixelSize(width: 320, height: 240))
            try await Self.until { queue.load(of: "blocks-v8") == .idle && queue.obstacle == nil }
            var order = try RedisJobStoreTests.order(3, key: "k")
            order.webhook = "https://reef.example"
            let job = try await store.accept(order).job
            #expect(try await RedisJobStoreTests.finished(job.id, in: store).count == 3)
            #expect(try await store.jobs(before: nil, limit: 3).count == 1)
            #expect(try await store.dueNotice(lease: .seconds(9))?.job.id == job.id)
            try await store.settleNotice(of: job.id, as: .waiting, retry: .now)
            #expect(try await store.remove(job.id))
        }
        let person = RedisQueueOperator(address, logger: quiet)
        #expect(try await person.status().map(\.model) == ["blocks-v8"])
        #expect(try await person.warnings().isEmpty == false)
        #expect(try await person.purgeDeadLetters(of: "blocks-v8") == 0)
    }

    /// This file is Tests/NereidJobsTests/Redis/Queue/RedisQueueTests.swift of the repository.
    private static let document =
        (0..<5).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        .appendingPathComponent("docs/queue.md").path

    @Test("ends at once where it is not let in, and waits where nobody answers yet")
    func start() async throws {
        let server = try await RedisServer(["--requirepass", "secret"])
        defer { server.kill() }
        let queue = try Self.queue(server)
        await #expect(throws: RedisError.self) { try await queue.run() }
        await #expect(throws: JobError.self) { try await queue.submit(Self.job(ByteBuffer(), for: Self.absent)) }
        let model = try await Fixtures.served("blocks-v8")
        let worker = try Self.worker(server, model)
        await #expect(throws: RedisError.self) { try await worker.run() }

        let other = try await RedisServer()
        defer { other.kill() }
        let (patientQueue, patientWorker) = (try Self.queue(other), try Self.worker(other, model))
        other.kill()
        try await Self.running([patientQueue, patientWorker]) {
            let again = try await other.restarted()
            defer { again.kill() }
            _ = try await Self.remote("blocks-v8", in: patientQueue)
        }
    }
}
