// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOCore
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs

/// Whoever may write to Redis may write anything.
@Suite("Forged messages", .timeLimit(.minutes(2)))
struct ForgedMessageTests {
    /// An answer of a picture of 40 × 30 with one detection, as JSON.
    static func answer(
        image: String = #"{"width":40,"height":30}"#,
        detection: String = #""class_id":0,"label":"a","score":0.5,"box":[1,2,3,4]"#,
        more: String = ""
    ) -> ByteBuffer {
        ByteBuffer(string: #"{"task":"detect","image":\#(image),"detections":[{\#(detection)\#(more)}]}"#)
    }

    static func reason(_ json: ByteBuffer, within bounds: AnswerBounds = .init()) throws -> String {
        let error = #expect(throws: JobError.self) { try AnswerMessage.answer(in: json, from: "reef", within: bounds) }
        guard case .unusableAnswer("reef", let reason) = error else {
            return "another error: \(String(describing: error))"
        }
        return reason
    }

    @Test("of a picture that nobody may send are refused before a mask is made of their sizes")
    func image() throws {
        #expect(try AnswerMessage.answer(in: Self.answer(), from: "reef", within: .init()).detections.count == 1)
        for image in [
            #"{"width":65000,"height":65000}"#, #"{"width":40000,"height":1}"#, #"{"width":20000,"height":20000}"#,
            #"{"width":9223372036854775807,"height":9223372036854775807}"#,
        ] {
            let mask = #","mask":[0,4225000000]"#
            #expect(try Self.reason(Self.answer(image: image, more: mask)).contains("max_picture_pixels"), "\(image)")
        }
    }

    @Test(
        "that no model gives of this picture are refused",
        arguments: [
            #""class_id":-1,"label":"a","score":0.5,"box":[1,2,3,4]"#,
            #""class_id":9000000000,"label":"a","score":0.5,"box":[1,2,3,4]"#,
            #""class_id":0,"label":"a","score":17,"box":[1,2,3,4]"#,
            #""class_id":0,"label":"a","score":-0.1,"box":[1,2,3,4]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[1,2,3,400]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[-50,2,3,4]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[1,2,3]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[1,2,3,4],"keypoints":[[1]]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[1,2,3,4],"keypoints":[[1,1000000]]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[1,2,3,4],"keypoints":[[1,1,1e30]]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[1,2,3,4],"rotation":[1,1,1e30,1,0]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[1,2,3,4],"rotation":[1,1,-1,1,0]"#,
            #""class_id":0,"label":"a","score":0.5,"box":[1,2,3,4],"mask":[0,1199]"#,
        ]
    )
    func detection(text: String) throws {
        #expect(try Self.reason(Self.answer(detection: text)) == "one of its detections can't be read")
    }

    @Test("with texts, points and runs beyond all measure are refused")
    func long() throws {
        let label = String(repeating: "x", count: 1001)
        #expect(
            try Self.reason(Self.answer(detection: #""class_id":0,"label":"\#(label)","score":0.5,"box":[1,2,3,4]"#))
                == "one of its detections can't be read"
        )
        let points = [String](repeating: "[1,1]", count: 1001).joined(separator: ",")
        #expect(
            try Self.reason(Self.answer(more: #","keypoints":[\#(points)]"#)) == "one of its detections can't be read"
        )
        let runs = [String](repeating: "0", count: 1300).joined(separator: ",")
        #expect(try Self.reason(Self.answer(more: #","mask":[\#(runs)]"#)) == "one of its detections can't be read")
        let nested = ByteBuffer(string: String(repeating: "[", count: 100_000))
        #expect(try Self.reason(nested).contains("not the JSON of docs/queue.md"))
        #expect(try Self.reason(ByteBuffer()).contains("too large"))
        #expect(try Self.reason(ByteBuffer(repeating: 0x20, count: AnswerBounds.bytes + 1)).contains("more than"))
        #expect(
            try Self.reason(ByteBuffer(repeating: UInt8(ascii: ","), count: AnswerBounds.values)).contains("values")
        )
        let text = String(repeating: "y", count: 100_000)
        let words = ByteBuffer(string: #"{"error":{"code":"failed","detail":"\#(text)"}}"#)
        let error = #expect(throws: JobError.self) {
            try AnswerMessage.answer(in: words, from: "reef", within: .init())
        }
        #expect(try #require(error).description.utf8.count < 3000)
    }

    @Test("with more than was asked for are refused")
    func count() throws {
        let one = #"{"class_id":0,"label":"a","score":0.5,"box":[1,2,3,4]}"#
        func many(_ count: Int) -> ByteBuffer {
            let all = [String](repeating: one, count: count).joined(separator: ",")
            return ByteBuffer(string: #"{"task":"detect","image":{"width":40,"height":30},"detections":[\#(all)]}"#)
        }
        let bounds = AnswerBounds(options: .init(maxDetections: 2, topClasses: 1))
        #expect(try AnswerMessage.answer(in: many(2), from: "reef", within: bounds).detections.count == 2)
        #expect(try Self.reason(many(3), within: bounds) == "it has 3 detections, where at most 2 were asked for")
        #expect(try Self.reason(many(10_001)).contains("at most 10000"))
        let classes =
            #"{"task":"classify","image":{"width":40,"height":30},"classifications":[{"class_id":0,"label":"a","score":1},{"class_id":1,"label":"b","score":0}]}"#
        #expect(try Self.reason(ByteBuffer(string: classes), within: bounds).contains("2 classes"))
    }

    @Test("whose masks take long to draw together are refused, ordinary ones are not")
    func masks() throws {
        func masks(_ count: Int) -> ByteBuffer {
            let one = #"{"class_id":0,"label":"a","score":0.5,"box":[1,2,3,4],"mask":[0,100000000]}"#
            let all = [String](repeating: one, count: count).joined(separator: ",")
            return ByteBuffer(
                string: #"{"task":"segment","image":{"width":10000,"height":10000},"detections":[\#(all)]}"#
            )
        }
        #expect(try AnswerMessage.answer(in: masks(300), from: "reef", within: .init()).detections.count == 300)
        #expect(try Self.reason(masks(1000)) == "its masks are too large together")
        let endless = Self.answer(more: #","mask":[0,4294967295,4294967295]"#)
        #expect(try Self.reason(endless) == "its masks are too large together")
    }

    @Test("of older workers are bounded too")
    func legacy() throws {
        func reason(_ json: ByteBuffer) -> String {
            let error = #expect(throws: JobError.self) { try LegacyAnswer(json: json, from: "reef") }
            guard case .unusableAnswer("reef", let reason) = error else { return "another error" }
            return reason
        }
        let one = #"{"category_id":"a","scores":[0.5],"bbox":[1,2,3,4]}"#
        let many = [String](repeating: one, count: 10_001).joined(separator: ",")
        #expect(reason(ByteBuffer(string: "[\(many)]")) == "it has 10001 detections, more than 10000")
        let long = one.replacing("\"a\"", with: "\"" + String(repeating: "x", count: 2000) + "\"")
        #expect(reason(ByteBuffer(string: "[\(long)]")).contains("category_id"))
        #expect(reason(ByteBuffer(repeating: UInt8(ascii: ","), count: AnswerBounds.values)).contains("values"))
    }

    @Test("of workers are left aside as a whole, and what is counted by them is bounded")
    func announcements() throws {
        func fault(_ change: (inout WorkerAnnouncement.Model) -> Void) -> String? {
            var model = WorkerAnnouncement.Model(name: "reef", task: "detect", labels: ["urchin"])
            change(&model)
            return WorkerAnnouncement(worker: "a", host: "h", software: "s", models: [model]).fault
        }
        #expect(fault { _ in } == nil)
        #expect(fault { $0.name = "a\nb" } != nil)
        #expect(fault { $0.file = String(repeating: "x", count: 1001) } != nil)
        #expect(fault { $0.labels = [String](repeating: "a", count: 65_537) } == "‘reef’ has 65537 labels")
        #expect(fault { $0.labels = [String(repeating: "x", count: 1001)] } != nil)
        #expect(fault { $0.aliases = [String](repeating: "a", count: 101) } != nil)
        #expect(fault { $0.input = .init(width: 0, height: 640, fit: "rect") } != nil)
        #expect(fault { $0.warnings = [String](repeating: "a", count: 100) } == nil)
        #expect(fault { $0.warnings = [String](repeating: "a", count: 101) } != nil)
        #expect(fault { $0.warnings = [String(repeating: "x", count: 4001)] } != nil)
        var defaults = WorkerAnnouncement.Defaults(.init())
        defaults.confidence = 7
        #expect(fault { $0.defaults = defaults } == "the confidence of ‘reef’ is out of its range")
        let models = [WorkerAnnouncement.Model](repeating: .init(name: "m", task: "detect", labels: []), count: 1001)
        #expect(WorkerAnnouncement(worker: "a", host: "h", software: "s", models: models).fault != nil)
        // The sum of all counts is still a number.
        let all = ["a", "b"].map { worker in
            WorkerAnnouncement(
                worker: worker,
                host: "h",
                software: "s",
                models: [.init(name: "m", task: "detect", labels: [], instances: .max, running: .max)]
            )
        }
        #expect(JobModel.remote(try RemoteCatalogue(all).model(named: "m")).window == 2049)
    }

    @Test("that are jobs are refused by their field", arguments: ["job", "request", "reply", "record", "picture_key"])
    func entries(field: String) {
        var entry = QueueMessageTests.entry
        entry.record = "nereid:job:1"
        let long = String(repeating: "x", count: 5000)
        let error = #expect(throws: MalformedEntry.self) {
            try JobEntry(fields: QueueMessageTests.replies(entry, without: field, setting: long))
        }
        #expect(error?.field == field)
        #expect(throws: MalformedEntry(field: "options")) {
            let options = #"{"max_detections":99999999}"#
            return try JobEntry(fields: QueueMessageTests.replies(entry, without: "options", setting: options))
        }
    }
}

@Suite("Forged messages in Redis", .enabled(if: RedisServer.isInstalled, RedisServer.missing), .timeLimit(.minutes(2)))
struct ForgedRedisTests {
    /// Answers the next interactive job as a forger would.
    static func forge(_ json: ByteBuffer, _ client: RedisClient) async throws {
        try await RedisQueueTests.until {
            try await client.send(RedisCommand("XLEN", "nereid:jobs:blocks-v8")).integer ?? 0 > 0
        }
        let reply = try await client.send(RedisCommand("XRANGE", "nereid:jobs:blocks-v8", "-", "+"))
        let entry = try #require(reply.elements?.first.flatMap(StreamEntry.init))
        let values = entry.values
        try await client.send(
            RedisCommand(
                "XADD",
                .text(try #require(values["reply"]?.text)),
                "*",
                "job",
                .text(try #require(values["job"]?.text)),
                "answer",
                .bytes(json)
            )
        )
        try await client.send(RedisCommand("XDEL", "nereid:jobs:blocks-v8", .text(entry.id)))
    }

    @Test("fail the job that they belong to, and no other, and are told of in the log")
    func answers() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let log = LogReader()
        let queue = RedisQueue(
            try server.address(),
            settings: RedisQueueTests.settings,
            imaging: Fixtures.imaging,
            logger: log.logger
        )
        let announcement =
            #"{"worker":"w","host":"h","software":"s","models":[{"name":"blocks-v8","task":"detect","labels":["red"]}]}"#
        try await client.send(RedisCommand("SADD", "nereid:workers", "w", "x", "y"))
        try await client.send(RedisCommand("SET", "nereid:worker:w", .text(announcement)))
        // One that says too much is left aside.
        try await client.send(
            RedisCommand("SET", "nereid:worker:x", .bytes(ByteBuffer(repeating: 0x20, count: 9 << 20)))
        )
        try await client.send(
            RedisCommand(
                "SET",
                "nereid:worker:y",
                .text(announcement.replacing("\"red\"", with: "\"" + String(repeating: "x", count: 2000) + "\""))
            )
        )
        try await RedisQueueTests.running([queue]) {
            let model = try await RedisQueueTests.remote("blocks-v8", in: queue)
            #expect(try queue.catalogue.model(named: "blocks-v8").workers.map(\.worker) == ["w"])
            let picture = try Fixtures.picture()
            let forged = [
                ForgedMessageTests.answer(image: #"{"width":65000,"height":65000}"#, more: #","mask":[0,4225000000]"#),
                ByteBuffer(string: "no JSON"), ByteBuffer(repeating: 0x20, count: 40 << 20),
            ]
            for json in forged {
                async let forging: Void = Self.forge(json, client)
                let error = await #expect(throws: JobError.self) {
                    try await queue.submit(RedisQueueTests.job(picture, for: model))
                }
                guard case .unusableAnswer("blocks-v8", _) = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
                try await forging
            }
            // A picture that is drawn on is known here, and so is its size.
            async let forging: Void = Self.forge(ForgedMessageTests.answer(), client)
            let drawn = Job(id: "d", model: model, picture: picture, deadline: .now + .seconds(60), keepsPicture: true)
            let error = await #expect(throws: JobError.self) { try await queue.submit(drawn) }
            #expect(error?.description.contains("it is of a picture of 40×30, but the picture has 160×160") == true)
            try await forging
        }
        #expect(await log.lines.first { $0 == "a worker's answer can't be used" } != nil)
    }

    @Test("that are more than is read of one reply are removed; the answers behind them arrive")
    func oversized() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        try await client.send(RedisCommand("XADD", "s", "1-1", "job", "a", "answer", "x"))
        try await client.send(RedisCommand("XADD", "s", "2-1", "job", "b", "answer", "y"))
        let removed = try await client.send(QueueScripts.removeNext(of: "s", after: "0"))
        #expect(removed.elements?.map(\.text) == ["1-1", "a"])
        #expect(
            try await client.send(QueueScripts.removeNext(of: "s", after: "1-1")).elements?.map(\.text) == ["2-1", "b"]
        )
        #expect(try await client.send(QueueScripts.removeNext(of: "s", after: "2-1")) == .null)
        #expect(try await client.send(RedisCommand("XLEN", "s")) == .integer(0))
    }

    @Test("among the results of a job fail their picture, whatever they hold, and the others are read")
    func results() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try RedisClientTests.client(server.url)
        let store = try RedisJobStoreTests.store(server)
        defer { store.shutDown() }
        let job = try await store.accept(try RedisJobStoreTests.order(4)).job
        let results = "nereid:job:\(job.id):results"
        let good = ForgedMessageTests.answer()
        let forged = ForgedMessageTests.answer(image: #"{"width":65000,"height":65000}"#)
        let answers: [(String, ByteBuffer)] = [
            ("\(job.id):0", good), ("\(job.id):1", forged),
            ("\(job.id):2", ByteBuffer(repeating: 0x20, count: 33 << 20)),
            ("no number", good), ("\(job.id):3", good),
        ]
        for (index, (name, answer)) in answers.enumerated() {
            try await client.send(
                RedisCommand("XADD", .text(results), "\(index + 1)-0", "job", .text(name), "answer", .bytes(answer))
            )
        }
        let read = try await store.results(of: job.id, after: 0, limit: 100)
        #expect(read.map(\.sequence) == [1, 2, 3, 5] && read.map(\.picture) == [0, 1, 2, 3])
        #expect(read.map(\.name) == ["reef/0.png", nil, "reef/2.png", nil])
        #expect(throws: Never.self) { try read[0].outcome.get() }
        #expect(throws: Never.self) { try read[3].outcome.get() }
        for result in read[1...2] {
            let error = #expect(throws: JobError.self) { try result.outcome.get() }
            guard case .unusableAnswer = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        // A page ends with the result that fills it.
        let size = good.readableBytes
        #expect(try await store.results(of: job.id, after: 0, limit: 100, bytes: size).map(\.sequence) == [1])
        #expect(try await store.results(of: job.id, after: 0, limit: 100, bytes: size + 1).map(\.sequence) == [1, 2])
        // Numbers beyond all times are no reason to stop.
        try await client.send(
            RedisCommand(
                "HSET",
                "nereid:job:\(job.id)",
                "finished",
                "9223372036854775807",
                "life_ms",
                "9223372036854775807",
                "done",
                "-5"
            )
        )
        let odd = try #require(try await store.job(job.id))
        #expect(odd.done == 0 && odd.finished != nil)
    }
}
