// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs

@Suite(
    "Worker in Python",
    .enabled(if: RedisServer.isInstalled, RedisServer.missing),
    .enabled(if: PythonProcess.canServe, PythonProcess.missing),
    .timeLimit(.minutes(2))
)
struct PythonWorkerTests {
    static func queue(_ server: RedisServer) throws -> RedisQueue {
        RedisQueue(try server.address(), imaging: Fixtures.imaging, logger: RedisClientTests.quiet)
    }

    static func worker(_ server: RedisServer) throws -> PythonProcess {
        try PythonProcess("Examples/python-worker/worker.py", environment: ["QUEUE": server.url])
    }

    /// A dark picture with white blocks.
    static func picture(width: Int = 64, height: Int = 48, spots: [Box], noise: Bool = false) throws -> ByteBuffer {
        var generator = SystemRandomNumberGenerator()
        var pixels = (0..<width * height * 3).map { _ in noise ? UInt8.random(in: 0...60, using: &generator) : 9 }
        for spot in spots {
            for y in Int(spot.y1)..<Int(spot.y2) {
                for place in (y * width + Int(spot.x1)) * 3..<(y * width + Int(spot.x2)) * 3 { pixels[place] = 255 }
            }
        }
        return try Picture(width: width, height: height, pixels: pixels).encoded(as: .png)
    }

    static let spots = [Box(x1: 5, y1: 6, x2: 15, y2: 26), Box(x1: 40, y1: 10, x2: 64, y2: 20)]

    @Test("answers with the boxes of small pictures and large ones, and leaves nothing behind")
    func answers() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let worker = try Self.worker(server)
        try await RedisQueueTests.running([queue]) {
            let model = try await RedisQueueTests.remote("spots", in: queue)
            for noise in [false, true] {
                let picture = try Self.picture(width: 160, height: 120, spots: Self.spots, noise: noise)
                #expect((picture.readableBytes > JobEntry.mostInlineBytes) == noise)
                let answer = try await queue.submit(RedisQueueTests.job(picture, for: model))
                #expect(answer.detections.map(\.box) == Self.spots)
                #expect(answer.detections.allSatisfy { $0.label == "spot" && $0.score == 1 && $0.classID == 0 })
                #expect(answer.size == PixelSize(width: 160, height: 120) && answer.task == .detect)
            }
            let one = Job(
                id: "test",
                model: model,
                picture: try Self.picture(spots: Self.spots),
                options: PredictionOptions(maxDetections: 1),
                deadline: .now + .seconds(60)
            )
            #expect(try await queue.submit(one).detections.count == 1)
            let client = try RedisClientTests.client(server.url)
            #expect(try await client.send(RedisCommand("XLEN", "nereid:jobs:spots")) == .integer(0))
            #expect(
                try await RedisQueueTests.keys(client).filter { $0.contains("picture") || $0.contains("bytes") } == []
            )
        }
        worker.terminate()
        #expect(try await worker.end() == 0)
    }

    @Test("says of what is no picture that it is none, of a damaged one that it is damaged, and goes on")
    func undecodable() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let worker = try Self.worker(server)
        defer { worker.kill() }
        try await RedisQueueTests.running([queue]) {
            let model = try await RedisQueueTests.remote("spots", in: queue)
            await #expect(throws: ImagingError.notAPicture) {
                try await queue.submit(RedisQueueTests.job(ByteBuffer(string: "not a picture"), for: model))
            }
            var half = try Self.picture(width: 160, height: 120, spots: [], noise: true)
            half.moveWriterIndex(to: half.writerIndex / 2)
            let damaged = half
            let error = await #expect(throws: (any Error).self) {
                try await queue.submit(RedisQueueTests.job(damaged, for: model))
            }
            let words = String(describing: try #require(error))
            #expect(words.contains("truncated") || words.contains("damaged"))
            let good = try Self.picture(spots: Self.spots)
            #expect(try await queue.submit(RedisQueueTests.job(good, for: model)).detections.count == 2)
        }
    }

    @Test("is listed two seconds after it came, and gone two seconds after it went, with a goodbye or without")
    func catalogue() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let client = try RedisClientTests.client(server.url)
        let clock = ContinuousClock()
        try await RedisQueueTests.running([queue]) {
            for isKilled in [false, true] {
                let worker = try Self.worker(server)
                try await RedisQueueTests.until {
                    try await client.send(RedisCommand("EXISTS", "nereid:workers")) == .integer(1)
                }
                let came = clock.now
                try await RedisQueueTests.until { queue.catalogue.models.map(\.name) == ["spots"] }
                #expect(clock.now - came < .seconds(2))
                let model = try queue.catalogue.model(named: "spots")
                #expect(model.labels == Labels(["spot"]) && model.workers.map(\.engine) == ["Pillow"])
                if isKilled {
                    worker.kill()
                } else {
                    worker.terminate()
                }
                let status = try await worker.end()
                #expect(status == (isKilled ? SIGKILL : 0))
                let went = clock.now
                try await RedisQueueTests.until { queue.catalogue.models.isEmpty }
                #expect(clock.now - went < .seconds(2))
            }
        }
    }

    @Test("finishes what it has when it is asked to stop, and takes no more")
    func stopping() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let client = try RedisClientTests.client(server.url)
        let worker = try Self.worker(server)
        try await RedisQueueTests.running([queue]) {
            let model = try await RedisQueueTests.remote("spots", in: queue)
            let all = Box(x1: 0, y1: 0, x2: 1500, y2: 1000)
            let large = try Self.picture(width: 1500, height: 1000, spots: [all])
            async let answer = queue.submit(RedisQueueTests.job(large, for: model))
            let pending = RedisCommand("XPENDING", "nereid:jobs:spots", "workers")
            try await RedisQueueTests.until { try await client.send(pending).elements?.first == .integer(1) }
            worker.terminate()
            let next = Task { try await queue.submit(RedisQueueTests.job(large, for: model)) }
            #expect(try await answer.detections.map(\.box) == [all])
            #expect(try await worker.end() == 0)
            try await RedisQueueTests.until {
                try await client.send(RedisCommand("XLEN", "nereid:jobs:spots")) == .integer(1)
            }
            #expect(try await client.send(pending).elements?.first == .integer(0))
            next.cancel()
            await #expect(throws: CancellationError.self) { try await next.value }
        }
    }

    @Test("does what somebody waits for before bulk jobs, and not what nobody waits for any more")
    func order() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let picture = try Self.picture(spots: Self.spots)
        for (stream, job, timeout) in [
            ("bulk", "b1", nil), ("bulk", "b2", nil), ("jobs", "late", "0"), ("jobs", "j1", "60000"),
            ("jobs", "j2", nil),
        ] {
            let wait: [RedisCommand.Argument] = timeout.map { ["timeout_ms", .text($0)] } ?? []
            let fields: [RedisCommand.Argument] = ["job", .text(job), "reply", "r", "picture", .bytes(picture)]
            try await client.send(RedisCommand(["XADD", .text("nereid:\(stream):spots"), "*"] + fields + wait))
        }
        let worker = try Self.worker(server)
        defer { worker.kill() }
        try await RedisQueueTests.until { try await client.send(RedisCommand("XLEN", "r")) == .integer(5) }
        let entries = try await client.send(RedisCommand("XRANGE", "r", "-", "+")).elements ?? []
        let fields = entries.compactMap { $0.elements?.last?.elements }
        #expect(fields.map { $0[1].text } == ["late", "j1", "j2", "b1", "b2"])
        let late = try AnswerMessage(json: try #require(fields.first?.last?.bytes))
        #expect(throws: JobError.deadlinePassed(model: "spots", hadBegun: false)) { try late.answer(from: "spots") }
        let done = try AnswerMessage(json: try #require(fields.last?.last?.bytes))
        #expect(try done.answer(from: "spots").detections.map(\.box) == Self.spots)
    }

    @Test("takes over the job of a worker that died")
    func takeover() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let picture = try Self.picture(spots: Self.spots)
        _ = try await client.send([
            RedisCommand("XGROUP", "CREATE", "nereid:jobs:spots", "workers", "0", "MKSTREAM"),
            RedisCommand("XADD", "nereid:jobs:spots", "*", "job", "1", "reply", "r", "picture", .bytes(picture)),
            RedisCommand("XREADGROUP", "GROUP", "workers", "dead", "STREAMS", "nereid:jobs:spots", ">"),
        ])
        let worker = try Self.worker(server)
        defer { worker.kill() }
        try await RedisQueueTests.until { try await client.send(RedisCommand("XLEN", "r")) == .integer(1) }
        #expect(try await client.send(RedisCommand("XLEN", "nereid:jobs:spots")) == .integer(0))
    }
}
