// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOFoundationCompat
import NereidImaging
import NereidModels
import NereidVision
import Testing

@testable import NereidJobs

@Suite(
    "Lists of the older workers",
    .enabled(if: RedisServer.isInstalled, RedisServer.missing),
    .timeLimit(.minutes(2))
)
struct LegacyQueueTests {
    static func queue(_ server: RedisServer, _ limits: QueueLimits = .init()) throws -> LegacyQueue {
        LegacyQueue(
            try server.address(),
            lists: [LegacyList("image_queue", model: "reef"), LegacyList("other")],
            limits: limits,
            imaging: Fixtures.imaging,
            logger: RedisClientTests.quiet
        )
    }

    static func job(_ picture: ByteBuffer, _ queue: LegacyQueue, within time: Duration = .seconds(60)) -> Job {
        RedisQueueTests.job(picture, for: .remote(queue.models[0]), within: time)
    }

    static func worker(_ server: RedisServer, _ mode: String) throws -> PythonProcess {
        try PythonProcess("Tests/Fixtures/legacy_worker.py", ["\(server.port)", "image_queue", mode])
    }

    /// Takes the first picture of the list as a worker does, and gives its id.
    static func take(_ client: RedisClient) async throws -> String {
        try await RedisQueueTests.until { try await client.send(RedisCommand("LLEN", "image_queue")).integer != 0 }
        let entry = try #require(try await client.send(RedisCommand("LPOP", "image_queue")).bytes)
        let object = try JSONSerialization.jsonObject(with: Data(buffer: entry)) as? [String: Any]
        return try #require(object?["id"] as? String)
    }

    /// A JPEG whose EXIF data says that it lies on its side.
    static func lyingPicture() throws -> ByteBuffer {
        var pixels: [UInt8] = []
        for place in 0..<40 { pixels += [UInt8(place * 6), UInt8(255 - place * 3), UInt8(place)] }
        var jpeg = try Picture(width: 8, height: 5, pixels: pixels).encoded(as: .jpeg(quality: 95))
        let orientation: [UInt8] = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]
        let exif: [UInt8] = Array("Exif\0\0MM\0*\0\0\0\u{8}\0\u{1}".utf8) + orientation + [0, 0, 0, 0]
        var lying = ByteBuffer(bytes: [0xFF, 0xD8, 0xFF, 0xE1, 0, UInt8(exif.count + 2)] + exif)
        jpeg.moveReaderIndex(forwardBy: 2)
        lying.writeBuffer(&jpeg)
        return lying
    }

    @Test(
        "gives workers upright pixels, blue, green, red, and maps their answers",
        .enabled(if: PythonProcess.canServe, PythonProcess.missing)
    )
    func pixels() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let worker = try Self.worker(server, "pixels")
        defer { worker.kill() }
        let picture = try Self.lyingPicture()
        let upright = try Picture(decoding: picture)
        #expect(upright.size == PixelSize(width: 5, height: 8))
        let job = Job(
            id: "test",
            model: .remote(queue.models[0]),
            picture: picture,
            deadline: .now + .seconds(60),
            keepsPicture: true
        )
        let answer = try await queue.submit(job)
        let expected = upright.withPixels { pixels in
            (0..<40).map { place in
                let (red, green, blue) = (pixels[place * 3], pixels[place * 3 + 1], pixels[place * 3 + 2])
                return "\(place % 5),\(place / 5): \(blue).0 \(green).0 \(red).0"
            }
        }
        let seen = answer.detections.map { "\(Int($0.box.x1)),\(Int($0.box.y1)): \($0.label)" }
        #expect(seen == expected)
        #expect(answer.size == upright.size && answer.task == .detect && answer.picture?.size == upright.size)
        #expect(answer.timing.inference > .zero && answer.timing.decode > .zero)
        #expect(queue.models[0].labels.names.count == Set(answer.detections.map(\.label)).count)
        // Neither the picture nor the answer is left.
        #expect(try await RedisQueueTests.keys(try RedisClientTests.client(server.url)) == [])
    }

    @Test("gives many at once each their own answer", .enabled(if: PythonProcess.canServe, PythonProcess.missing))
    func many() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let workers = [try Self.worker(server, "pixels")]
        defer { for worker in workers { worker.kill() } }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<30 {
                group.addTask {
                    let pixel = try Picture(width: 1, height: 1, pixels: [UInt8(number), 0, 255]).encoded(as: .png)
                    return try await queue.submit(Self.job(pixel, queue)).detections.map(\.label) == [
                        "255.0 0.0 \(number).0"
                    ]
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test("lists its models, under their lists' names too")
    func models() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        #expect(queue.models.map(\.name) == ["reef", "other"] && queue.models.map(\.aliases) == [["image_queue"], []])
        #expect(queue.models.allSatisfy { $0.task == .detect && $0.labels.names.isEmpty && $0.workers.isEmpty })
        let picture = try Fixtures.picture()
        await #expect(throws: JobError.notLoadedHere(model: "absent")) {
            try await queue.submit(RedisQueueTests.job(picture, for: RedisQueueTests.absent))
        }
        await #expect(throws: ImagingError.notAPicture) {
            try await queue.submit(Self.job(ByteBuffer(string: "not a picture"), queue))
        }
    }

    @Test("gives up at the deadline, and removes the answer that comes after it")
    func deadline() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let client = try RedisClientTests.client(server.url)
        let picture = try Fixtures.picture()
        try await RedisQueueTests.running([queue]) {
            try await RedisQueueTests.until { queue.obstacle == nil }
            await #expect(throws: JobError.deadlinePassed(model: "reef", hadBegun: true)) {
                try await queue.submit(Self.job(picture, queue, within: .milliseconds(400)))
            }
            try await RedisQueueTests.until { queue.load(of: "reef").waiting == 1 }
            #expect(queue.load(of: "reef").waitingBytes > 160 * 160 * 16)
            let id = try await Self.take(client)
            try await client.send(RedisCommand("SET", .text(id), "[]"))
            try await RedisQueueTests.until { try await client.send(RedisCommand("EXISTS", .text(id))) == .integer(0) }
            try await RedisQueueTests.until { queue.abandoned.all().isEmpty }
        }
    }

    @Test("leaves when its requester does")
    func cancellation() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let client = try RedisClientTests.client(server.url)
        let picture = try Fixtures.picture()
        let task = Task { try await queue.submit(Self.job(picture, queue)) }
        let id = try await Self.take(client)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await RedisQueueTests.until { queue.abandoned.all() == [id] }
    }

    @Test("gives up at the deadline, also when Redis hangs")
    func hangingServer() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let picture = try Fixtures.picture()
        try await RedisQueueTests.running([queue]) {
            try await RedisQueueTests.until { queue.obstacle == nil }
            server.hang()
            let begun = ContinuousClock.now
            await #expect(throws: JobError.deadlinePassed(model: "reef", hadBegun: false)) {
                try await queue.submit(Self.job(picture, queue, within: .milliseconds(300)))
            }
            // A command is waited for ten seconds long; who has a deadline is not kept that long.
            #expect(ContinuousClock.now - begun < .seconds(8))
            server.goOn()
        }
    }

    @Test("looks for late answers for some minutes, and for the last ones only")
    func abandoned() {
        let (answers, now) = (AbandonedAnswers(), ContinuousClock.now)
        answers.add("a", at: now)
        answers.add("b", at: now + .seconds(5))
        #expect(answers.all(at: now + .seconds(600)) == ["a", "b"])
        #expect(answers.all(at: now + .seconds(601)) == ["b"])
        for number in 0..<AbandonedAnswers.most { answers.add("\(number)", at: now + .seconds(6)) }
        let all = answers.all(at: now + .seconds(6))
        #expect(all.count == AbandonedAnswers.most && all.first == "0")
        answers.remove("0")
        #expect(answers.all(at: now + .seconds(6)).first == "1")
    }

    @Test("refuses pictures, saying why, while as many or as large ones wait as may")
    func full() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let picture = try Fixtures.picture()
        _ = try await client.send(RedisCommand("RPUSH", "image_queue", "one", "two"))
        await #expect(throws: JobError.queueFull(model: "reef", limit: "at most 2 may wait", setting: "queue_jobs")) {
            let queue = try Self.queue(server, QueueLimits(jobs: 2))
            _ = try await queue.submit(Self.job(picture, queue))
        }
        let few = JobError.queueFull(
            model: "reef",
            limit: "at most 400000 bytes of pixels may wait",
            setting: "queue_bytes"
        )
        await #expect(throws: few) {
            let queue = try Self.queue(server, QueueLimits(bytes: 400_000))
            _ = try await queue.submit(Self.job(picture, queue))
        }
        #expect(try await client.send(RedisCommand("LLEN", "image_queue")) == .integer(2))
        // The step itself counts, too, when another gateway was quicker.
        let late = LegacyScript.push(ByteBuffer(string: "three"), to: "image_queue", limits: QueueLimits(jobs: 2))
        #expect(try await client.send(late) == .status("jobs"))
        _ = try await client.send([
            RedisCommand("DEL", "image_queue"), RedisCommand("CONFIG", "SET", "maxmemory", "1"),
        ])
        await #expect(
            throws: JobError.queueFull(model: "reef", limit: "Redis has as much as it may hold", setting: "maxmemory")
        ) {
            let queue = try Self.queue(server)
            _ = try await queue.submit(Self.job(picture, queue))
        }
    }

    @Test("says in words that an answer is garbage")
    func garbage() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let client = try RedisClientTests.client(server.url)
        let picture = try Fixtures.picture()
        let task = Task { try await queue.submit(Self.job(picture, queue)) }
        let id = try await Self.take(client)
        try await client.send(RedisCommand("SET", .text(id), "garbage"))
        let error = await #expect(throws: JobError.self) { try await task.value }
        #expect(error?.description.contains("a worker of model ‘reef’ gave an answer that can't be used") == true)
        #expect(error?.description.contains("begins with ‘garbage’") == true)
        #expect(try await RedisQueueTests.keys(client) == [])
    }

    @Test(
        "gives up a picture whose worker died, and goes on with the next worker",
        .enabled(if: PythonProcess.canServe, PythonProcess.missing)
    )
    func death() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let queue = try Self.queue(server)
        let picture = try Fixtures.picture()
        let worker = try Self.worker(server, "die")
        let lost = Task { try await queue.submit(Self.job(picture, queue, within: .seconds(8))) }
        #expect(try await worker.end() == 1)
        let next = try Self.worker(server, "nothing")
        defer { next.kill() }
        #expect(try await queue.submit(Self.job(picture, queue)).detections.isEmpty)
        await #expect(throws: JobError.deadlinePassed(model: "reef", hadBegun: true)) { try await lost.value }
    }

    @Test("says that Redis can't be reached, and that the gateway is being stopped")
    func unreachable() async throws {
        let server = try await RedisServer()
        let queue = try Self.queue(server)
        let picture = try Fixtures.picture()
        try await RedisQueueTests.running([queue]) {
            try await RedisQueueTests.until { queue.obstacle == nil }
            server.kill()
            try await RedisQueueTests.until { queue.obstacle?.contains("can't be looked at") == true }
            let error = await #expect(throws: JobError.self) { try await queue.submit(Self.job(picture, queue)) }
            #expect(error?.description.contains("can't be reached") == true)
        }
        await #expect(throws: JobError.queueUnreachable(reason: "the gateway is being stopped")) {
            try await queue.submit(Self.job(picture, queue))
        }
    }
}
