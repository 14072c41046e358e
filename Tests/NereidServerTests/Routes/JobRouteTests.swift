// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import NIOPosix
import NereidImaging
import NereidJobs
import NereidVision
import ServiceLifecycle
import Testing

@testable import NereidServer

@Suite("Jobs")
struct JobRouteTests {
    static let path = "/v1/models/blocks/jobs"
    static let key = HTTPField.Name("Idempotency-Key")!

    static func server(
        _ store: StubJobStore,
        _ configure: (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> TestServer {
        try await TestServer(jobs: store) {
            $0.webhooks.secret = WebhookSecret("not much of a secret")
            configure(&$0)
        }
    }

    @Test("are accepted with one picture, as it is", arguments: ["", "/"])
    func onePicture(slash: String) async throws {
        let store = StubJobStore()
        try await Self.server(store).test { client in
            let picture = try TestPicture.blocks()
            try await client.execute(uri: Self.path + slash, method: .post, body: picture) {
                #expect($0.status == .accepted)
                #expect($0.headers[.location] == "/v1/jobs/job-1")
                #expect($0.headers[.contentType] == "application/json")
                #expect(
                    $0.text == #"{"created":"2026-11-25T11:00:00.000Z","id":"job-1","model":"blocks","#
                        + #""pictures":{"done":0,"failed":0,"total":1},"state":"waiting"}"#
                )
            }
            let orders = await store.orders
            #expect(orders.count == 1)
            #expect(orders[0].model == "blocks")
            #expect(orders[0].pictures.map(\.name) == [nil])
            #expect(orders[0].pictures.map(\.bytes) == [picture])
            #expect((orders[0].webhook, orders[0].idempotencyKey) == (nil, nil))
            #expect(orders[0].options == PredictionOptions())
        }
    }

    @Test("are accepted with many, in a form, in a zip, in zips of a form")
    func manyPictures() async throws {
        let store = StubJobStore()
        try await Self.server(store).test { client in
            let picture = try TestPicture.blocks()
            let zip = try Zip().file("dive/", "").file("dive/b.png", picture).file("notes.txt", "none").bytes
            let form = Form().file("a.png", picture).file("not-looked-at.txt", ByteBuffer(string: "x"))
                .file("more.zip", zip).file("c.png", picture)
            let requests: [(HTTPFields, ByteBuffer)] = [
                (Form.headers, form.body), ([:], zip), ([.contentType: "application/zip"], zip),
            ]
            for (headers, body) in requests {
                try await client.execute(uri: Self.path, method: .post, headers: headers, body: body) {
                    #expect($0.status == .accepted)
                    #expect($0.json.skipped == 1)
                    #expect($0.json.keys == ["created", "id", "model", "pictures", "skipped", "state"])
                }
            }
            // More parts than a request that is waited for may have.
            let large = (0..<100).reduce(Form()) { form, number in form.file("\(number).png", ByteBuffer(string: "x")) }
            try await client.execute(uri: Self.path, method: .post, headers: Form.headers, body: large.body) {
                #expect($0.json.pictures.total == 100)
                #expect($0.json.skipped == .null)
            }
            let names = await store.orders.map { $0.pictures.map(\.name) }
            #expect(names[0] == ["a.png", "not-looked-at.txt", "dive/b.png", "c.png"])
            #expect(names[1...2] == [["dive/b.png"], ["dive/b.png"]])
            #expect(await store.orders[0].pictures[2].bytes == picture)
        }
    }

    @Test("count files that are empty, in a form and in a zip")
    func emptyFiles() async throws {
        let store = StubJobStore()
        try await Self.server(store).test { client in
            let picture = try TestPicture.blocks()
            let zip = try Zip().file("d.png", "").file("notes.txt", "").file("e.png", picture).bytes
            let form = Form().file("a.png", picture).file("b.png", ByteBuffer()).file("", ByteBuffer()).file(
                "c.zip",
                zip
            )
            try await client.execute(uri: Self.path, method: .post, headers: Form.headers, body: form.body) {
                #expect($0.status == .accepted)
                #expect($0.json.pictures.total == 4)
                #expect($0.json.skipped == 1)
            }
            let single = Form().file("b.png", ByteBuffer())
            try await client.execute(uri: Self.path, method: .post, headers: Form.headers, body: single.body) {
                #expect($0.json.pictures.total == 1)
            }
            let pictures = await store.orders.map(\.pictures)
            #expect(pictures[0].map(\.name) == ["a.png", "b.png", "d.png", "e.png"])
            #expect(pictures[0].map { $0.bytes.readableBytes > 0 } == [true, false, false, true])
        }
    }

    @Test("may be larger than a picture when they are a zip")
    func largeZip() async throws {
        let store = StubJobStore()
        try await Self.server(store) {
            $0.pictures.encodedBytes = 5000
            $0.maxRequestBytes = 40_000
        }.test { client in
            let zip = try (0..<8).reduce(Zip()) { $0.file("\($1).bmp", ArchiveReadingTests.noise(4000)) }.bytes
            #expect(zip.readableBytes > 5000)
            let form = Form().file("a.zip", zip).body
            for (headers, body) in [(HTTPFields(), zip), (Form.headers, form)] {
                try await client.execute(uri: Self.path, method: .post, headers: headers, body: body) {
                    #expect($0.status == .accepted)
                    #expect($0.json.pictures.total == 8)
                }
            }
        }
        // Elsewhere a zip is a picture that is none, and a large picture is no zip.
        let zip = try (0..<8).reduce(Zip()) { $0.file("\($1).bmp", ArchiveReadingTests.noise(4000)) }.bytes
        let refused = [
            (PredictRouteTests.path, zip), (Self.path, ByteBuffer(bytes: ArchiveReadingTests.noise(6000))),
        ]
        for (path, body) in refused {
            try await Self.server(store) { $0.pictures.encodedBytes = 5000 }.test { client in
                try await client.execute(uri: path, method: .post, body: body) {
                    #expect($0.status == .contentTooLarge)
                    #expect($0.json.code == "upload_too_large")
                }
            }
        }
    }

    @Test("carry what is asked of the model, from the query and from the form")
    func parameters() async throws {
        let store = StubJobStore()
        try await Self.server(store).test { client in
            let picture = try TestPicture.blocks()
            let form = Form().field("iou", "0.3").field("top_k", "2").field("classes", "0")
                .field("webhook", "https://hooks.example.org:443/a").file("a.png", picture)
            try await client.execute(
                uri: Self.path + "?confidence=0.5&classes=green&max_detections=7&class_agnostic=true",
                method: .post,
                headers: Form.headers,
                body: form.body
            ) {
                #expect($0.status == .accepted)
                #expect($0.json.webhook.keys == ["state"])
                #expect($0.json.webhook.state == "waiting")
            }
            let order = try #require(await store.orders.first)
            #expect(
                order.options
                    == PredictionOptions(
                        confidence: 0.5,
                        iou: 0.3,
                        maxDetections: 7,
                        classAgnostic: true,
                        classes: [0, 1],
                        topClasses: 2
                    )
            )
            #expect(order.webhook == "https://hooks.example.org/a")
        }
    }

    @Test("with a key are accepted once, and again only as the same order")
    func idempotency() async throws {
        let store = StubJobStore()
        try await Self.server(store).test { client in
            let picture = try TestPicture.blocks()
            for status in [HTTPResponse.Status.accepted, .ok, .ok] {
                try await client.execute(uri: Self.path, method: .post, headers: [Self.key: "dive 7"], body: picture) {
                    #expect($0.status == status)
                    #expect($0.headers[.location] == "/v1/jobs/job-1")
                    #expect($0.json.id == "job-1")
                }
            }
            try await client.execute(
                uri: Self.path + "?confidence=0.9",
                method: .post,
                headers: [Self.key: "dive 7"],
                body: picture
            ) {
                #expect($0.status == .unprocessableContent)
                #expect($0.json.code == "idempotency_key_reused")
                #expect($0.json.detail.string?.contains("‘dive 7’") == true)
            }
            #expect(await store.orders.map(\.idempotencyKey) == ["dive 7"])
            try await client.execute(uri: "/metrics", method: .get) {
                let read = try PrometheusText($0.text)
                let name = "nereid_bulk_jobs_total"
                #expect(read.value(name, ["model": "blocks", "outcome": "ok"]) == 1)
                #expect(read.value(name, ["model": "blocks", "outcome": "repeated"]) == 2)
                #expect(read.value(name, ["model": "blocks", "outcome": "idempotency_key_reused"]) == 1)
                #expect(read.value("nereid_bulk_pictures_total", ["model": "blocks"]) == 1)
                #expect(!$0.text.contains("nereid_predictions_total{"))
            }
        }
    }

    @Test("hold no memory of uploads once they are accepted")
    func memory() async throws {
        let store = StubJobStore()
        try await Self.server(store) { $0.maxUploadMemory = 200_000 }.test { client in
            let zip = try Zip().file("a.bmp", ArchiveReadingTests.noise(90_000)).bytes
            for _ in 0..<3 {
                try await client.execute(uri: Self.path, method: .post, body: zip) { #expect($0.status == .accepted) }
            }
            try await client.execute(uri: "/metrics", method: .get) {
                let read = try PrometheusText($0.text)
                #expect(read.value("nereid_upload_bytes") == 0)
            }
            let more = try Zip().file("a.bmp", ArchiveReadingTests.noise(110_000)).bytes
            try await client.execute(uri: Self.path, method: .post, body: more) {
                #expect($0.status == .serviceUnavailable)
                #expect($0.json.code == "upload_memory_full")
            }
        }
    }

    @Test("show how far they are, with their results in the order in which these came")
    func results() async throws {
        let store = StubJobStore()
        try await Self.server(store).test { client in
            let form = Form().file("a.png", try TestPicture.blocks()).file("b.png", ByteBuffer(string: "x"))
            try await client.execute(uri: Self.path, method: .post, headers: Form.headers, body: form.body) { _ in }
            try await client.execute(uri: "/v1/jobs/job-1", method: .get) {
                #expect($0.json.state == "waiting")
                #expect(($0.json.results, $0.json.next) == ([], 0))
            }
            let detection = Detection(box: Box(x1: 1, y1: 2, x2: 3, y2: 4), score: 0.5, classID: 1, label: "green")
            await store.answer("job-1", .success(.detections([detection])))
            try await client.execute(uri: "/v1/jobs/job-1", method: .get) { #expect($0.json.state == "running") }
            await store.answer("job-1", .failure(ImagingError.notAPicture))
            try await client.execute(uri: "/v1/jobs/job-1", method: .get) {
                let json = $0.json
                #expect(
                    json.keys == [
                        "created", "expires", "finished", "id", "model", "next", "pictures", "results", "state",
                    ]
                )
                #expect(
                    $0.text.hasPrefix(#"{"created":"2026-11-25T11:00:00.000Z","expires":"2026-11-26T11:00:00.000Z","#)
                )
                #expect(json.finished == "2026-11-25T11:01:01.500Z")
                #expect((json.state, json.next) == ("done", 2))
                #expect((json.pictures.total, json.pictures.done, json.pictures.failed) == (2, 2, 1))
                let first = json.results[0]
                #expect(first.keys == ["detections", "file", "image", "picture", "sequence", "task", "timing"])
                #expect((first.sequence, first.picture, first.file) == (1, 0, "a.png"))
                #expect(first.detections[0].label == "green")
                #expect((first.image.width, first.image.height) == (160, 120))
                let second = json.results[1]
                #expect(second.keys == ["error", "file", "picture", "sequence"])
                #expect((second.sequence, second.picture, second.file) == (2, 1, "b.png"))
                #expect((second.error.code, second.error.status) == ("not_a_picture", 415))
            }
        }
    }

    @Test("give their results in pages")
    func pages() async throws {
        let store = StubJobStore()
        let pictures = (0..<250).map { BulkOrder.Picture(name: "\($0)", bytes: ByteBuffer(string: "x")) }
        _ = try await store.accept(BulkOrder(model: "blocks", pictures: pictures))
        for _ in 0..<250 { await store.answer("job-1") }
        try await Self.server(store).test { client in
            func sequences(_ query: String) async throws -> [JSON] {
                try await client.execute(uri: "/v1/jobs/job-1" + query, method: .get) {
                    [$0.json.results[0].sequence, .number(Double($0.json.results.elements.count)), $0.json.next]
                }
            }
            let expected: [(String, [JSON])] = [
                ("", [1, 250, 250]),
                ("?limit=0", [.null, 0, 0]),
                ("?limit=7", [1, 7, 7]),
                ("?after=240&limit=100", [241, 10, 250]),
                ("?after=30&limit=150", [31, 150, 180]),
                ("?after=250", [.null, 0, 250]),
                ("?after=999", [.null, 0, 999]),
            ]
            for (query, answer) in expected {
                let read = try await sequences(query)
                #expect(read == answer, "\(query)")
            }
        }
    }

    @Test("whose results are many bytes give fewer of them at one time")
    func largeResults() async throws {
        let store = StubJobStore()
        let pictures = (0..<60).map { BulkOrder.Picture(name: "\($0)", bytes: ByteBuffer(string: "x")) }
        _ = try await store.accept(BulkOrder(model: "blocks", pictures: pictures))
        let box = Box(x1: 1, y1: 2, x2: 3, y2: 4)
        let many = [Detection(box: box, score: 0.5, classID: 1, label: String(repeating: "x", count: 200_000))]
        for _ in 0..<60 { await store.answer("job-1", .success(.detections(many))) }
        await store.say("job-1") { _ in 200_000 }
        try await Self.server(store).test { client in
            var (after, answers) = (0, 0)
            while after < 60 {
                after = try await client.execute(uri: "/v1/jobs/job-1?after=\(after)", method: .get) {
                    #expect($0.body.readableBytes < 5 << 20)
                    let json = $0.json
                    // As of one that is sent in one piece.
                    #expect(
                        json.keys == [
                            "created", "expires", "finished", "id", "model", "next", "pictures", "results", "state",
                        ]
                    )
                    #expect(json.results[0].sequence == .number(Double(after + 1)))
                    let count = json.results.elements.count
                    #expect(json.next == .number(Double(after + count)))
                    return after + count
                }
                answers += 1
            }
            // 21 of 200 kB are 4 MiB.
            #expect((after, answers) == (60, 3))
        }
    }

    @Test("send what is kept as it is sent, byte for byte")
    func documents() async throws {
        let store = StubJobStore()
        _ = try await store.accept(BulkOrder(model: "blocks", pictures: [.init(bytes: ByteBuffer(string: "x"))]))
        await store.answer("job-1")
        let kept = #"{ "sequence":1,"kept":"as it is" }"#
        await store.keep(kept, as: "job-1")
        try await Self.server(store).test { client in
            try await client.execute(uri: "/v1/jobs/job-1", method: .get) {
                #expect($0.text.contains(#""results":[\#(kept)],"#))
            }
            try await client.execute(uri: "/v1/jobs/job-1/events", method: .get) {
                #expect($0.text.contains("data: \(kept)\n\n"))
            }
        }
    }

    @Test(
        "are sent to so many clients at one time; the place of one that has left or asked for the head only is free again"
    )
    func readers() async throws {
        let places = AnswerPlaces(2)
        var first: AnswerPlaces.Place? = try places.take()
        let second = try places.take()
        let problem = #expect(throws: Problem.self) { try places.take() }
        #expect(problem?.code == .tooManyReaders)
        #expect(problem?.headers[.retryAfter] == "1")
        #expect(places.inUse == 2)
        withExtendedLifetime(first) {}
        first = nil
        _ = try places.take()
        withExtendedLifetime(second) {}
        #expect(places.inUse <= 1)

        let store = try await JobEventTests.store(pictures: 3)
        let label = String(repeating: "x", count: 200_000)
        let detection = Detection(box: Box(x1: 1, y1: 2, x2: 3, y2: 4), score: 0.5, classID: 1, label: label)
        for _ in 0..<3 { await store.answer("job-1", .success(.detections([detection]))) }
        await store.say("job-1") { _ in 200_000 }
        try await Self.server(store).test { client in
            for method in [HTTPRequest.Method](repeating: .head, count: 40) + [.get] {
                try await client.execute(uri: "/v1/jobs/job-1", method: method) { #expect($0.status == .ok) }
            }
        }
    }

    @Test("are not read any further when the client has left")
    func clientLeaves() async throws {
        let store = try await JobEventTests.store(pictures: 1000)
        let label = String(repeating: "x", count: 200_000)
        let detection = Detection(box: Box(x1: 1, y1: 2, x2: 3, y2: 4), score: 0.5, classID: 1, label: label)
        for _ in 0..<1000 { await store.answer("job-1", .success(.detections([detection]))) }
        await store.say("job-1") { _ in 200_000 }
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let server = try await TestServer(jobs: store, ports: continuation) { $0.shutdownDelay = .zero }
        let group = ServiceGroup(services: [server.server], logger: TestServer.logger)
        let running = Task { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let silent = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.autoRead, value: false).channelOption(.socketOption(.so_rcvbuf), value: 4096)
            .connect(host: "127.0.0.1", port: port).get()
        let request = "GET /v1/jobs/job-1?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try await silent.writeAndFlush(ByteBuffer(string: request))
        for await _ in store.reads { break }
        try await silent.close()
        // The server ends only when its answers have.
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(await store.readCount < 30)
    }

    @Test("are listed, the newest first, in pages")
    func list() async throws {
        let store = StubJobStore()
        for _ in 0..<5 {
            let picture = BulkOrder.Picture(bytes: ByteBuffer(string: "x"))
            _ = try await store.accept(BulkOrder(model: "blocks", pictures: [picture]))
        }
        try await Self.server(store).test { client in
            func ids(_ query: String) async throws -> [JSON] {
                try await client.execute(uri: "/v1/jobs" + query, method: .get) {
                    $0.json.jobs.elements.map(\.id) + [$0.json.next]
                }
            }
            let expected: [(String, [JSON])] = [
                ("", ["job-5", "job-4", "job-3", "job-2", "job-1", .null]),
                ("?limit=2", ["job-5", "job-4", "job-4"]),
                ("?limit=2&before=job-4", ["job-3", "job-2", "job-2"]),
                ("?limit=2&before=job-2", ["job-1", .null]),
                ("?limit=5", ["job-5", "job-4", "job-3", "job-2", "job-1", .null]),
            ]
            for (query, answer) in expected {
                let read = try await ids(query)
                #expect(read == answer, "\(query)")
            }
        }
    }

    @Test("are removed")
    func removal() async throws {
        let store = StubJobStore()
        try await Self.server(store).test { client in
            try await client.execute(uri: Self.path, method: .post, body: TestPicture.blocks()) { _ in }
            try await client.execute(uri: "/v1/jobs/job-1", method: .delete) {
                #expect($0.status == .noContent)
                #expect($0.body.readableBytes == 0)
            }
            for (method, path) in [(HTTPRequest.Method.delete, ""), (.get, ""), (.get, "/events")] {
                try await client.execute(uri: "/v1/jobs/job-1\(path)", method: method) {
                    #expect($0.status == .notFound)
                    #expect($0.json.code == "job_not_found")
                    #expect($0.json.detail.string?.contains("‘job-1’") == true)
                }
            }
        }
    }
}

extension JobRouteTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var method = HTTPRequest.Method.post
        var path = JobRouteTests.path
        var headers: HTTPFields = [:]
        var body = ByteBuffer(string: "x")
        let status: Int
        let code: Problem.Code
        let words: [String]
    }

    private static func parameter(_ query: String, _ words: String...) -> Refusal {
        Refusal(testDescription: query, path: path + query, status: 400, code: .badParameter, words: words)
    }

    private static func query(_ path: String, _ words: String...) -> Refusal {
        Refusal(testDescription: path, method: .get, path: path, status: 400, code: .badParameter, words: words)
    }

    static let refusals: [Refusal] = [
        parameter("?format=csv", "‘format’ is not for jobs", "JSON"),
        parameter("?annotate=png", "‘annotate’ is not for jobs"),
        parameter("?confidense=1", "‘confidense’", "confidence, iou", "webhook"),
        parameter("?iou=2", "‘iou’ is ‘2’"),
        parameter("?iou=0.2&iou=0.2", "‘iou’ is given 2 times"),
        parameter("?webhook=https://a.example/&webhook=https://b.example/", "‘webhook’ is given 2 times"),
        parameter("?classes=cod", "‘cod’", "red, green, blue"),
        parameter("?webhook=http://hooks.example.org/", "‘hooks.example.org’", "https://", "webhook_hosts"),
        parameter("?webhook=https://10.0.0.1/", "‘10.0.0.1’", "private", "webhook_hosts"),
        parameter("?webhook=hooks.example.org", "must begin with https://"),
        query("/v1/jobs?limit=0", "‘limit’ is ‘0’", "from 1 to 1000"),
        query("/v1/jobs?limit=1&limit=2", "‘limit’ is given 2 times"),
        query("/v1/jobs/job-1?after=1&after=1", "‘after’ is given 2 times"),
        query("/v1/jobs?limit=1001", "from 1 to 1000"),
        query("/v1/jobs?page=2", "‘page’ is not a parameter. Parameters: limit, before"),
        query("/v1/jobs/job-1?limit=10001", "‘limit’ is ‘10001’", "from 0 to 10000"),
        query("/v1/jobs/job-1?after=-1", "‘after’ is ‘-1’", "whole number from 0"),
        query("/v1/jobs/job-1?before=3", "‘before’ is not a parameter. Parameters: after, limit"),
        query("/v1/jobs/job-1/events?after=x", "‘after’ is ‘x’"),
        Refusal(
            testDescription: "a Last-Event-ID that is no number",
            method: .get,
            path: "/v1/jobs/job-1/events",
            headers: [.lastEventID: "seven"],
            status: 400,
            code: .badParameter,
            words: ["the header Last-Event-ID is ‘seven’"]
        ),
        Refusal(
            testDescription: "format in the form",
            headers: Form.headers,
            body: Form().field("format", "json").file("a", ByteBuffer(string: "x")).body,
            status: 400,
            code: .badParameter,
            words: ["‘format’ is not for jobs"]
        ),
        Refusal(
            testDescription: "a key that is empty",
            headers: [key: ""],
            status: 400,
            code: .badParameter,
            words: ["Idempotency-Key", "1 to 255"]
        ),
        Refusal(
            testDescription: "a key that is too long",
            headers: [key: String(repeating: "x", count: 256)],
            status: 400,
            code: .badParameter,
            words: ["1 to 255"]
        ),
        Refusal(
            testDescription: "an unknown model",
            path: "/v1/models/cod/jobs",
            status: 404,
            code: .modelNotFound,
            words: ["‘cod’"]
        ),
        Refusal(
            testDescription: "no body",
            body: ByteBuffer(),
            status: 400,
            code: .malformedUpload,
            words: ["has no body"]
        ),
        Refusal(
            testDescription: "a form without a picture",
            headers: Form.headers,
            body: Form().field("iou", "0.5").body,
            status: 400,
            code: .malformedUpload,
            words: ["no part called ‘file’"]
        ),
        Refusal(
            testDescription: "an empty zip",
            body: Zip.empty,
            status: 400,
            code: .malformedUpload,
            words: ["no picture in the upload", "the zip is empty"]
        ),
        Refusal(
            testDescription: "a zip that is cut short",
            body: ByteBuffer(string: "PK\u{3}\u{4}, and no more"),
            status: 400,
            code: .malformedUpload,
            words: ["the zip can't be read"]
        ),
        Refusal(
            testDescription: "a job that there is not",
            method: .get,
            path: "/v1/jobs/no-such-job",
            status: 404,
            code: .jobNotFound,
            words: ["‘no-such-job’", "job_life"]
        ),
        Refusal(
            testDescription: "a job whose name none can have",
            method: .delete,
            path: "/v1/jobs/a%2Fb%22",
            status: 404,
            code: .jobNotFound,
            words: ["there is no job"]
        ),
    ]

    @Test("are refused with what happened, to what, and what to do", arguments: refusals)
    func refused(refusal: Refusal) async throws {
        try await Self.server(StubJobStore()).test { client in
            try await client.execute(
                uri: refusal.path,
                method: refusal.method,
                headers: refusal.headers,
                body: refusal.method == .post ? refusal.body : nil
            ) {
                #expect(Int($0.status.code) == refusal.status)
                #expect($0.headers[.contentType] == "application/problem+json")
                #expect($0.json.code.string == refusal.code.rawValue)
                for word in refusal.words {
                    #expect($0.json.detail.string?.contains(word) == true, "\($0.json.detail)")
                }
            }
        }
    }

    @Test("are refused when a zip holds no picture")
    func zipWithoutPictures() async throws {
        try await Self.server(StubJobStore()).test { client in
            let zip = try Zip().file("a.txt", "x").file("b.txt", "y").bytes
            try await client.execute(uri: Self.path, method: .post, body: zip) {
                #expect($0.json.code == "malformed_upload")
                #expect($0.json.detail.string?.contains("of the files in the zip (2), none is a picture") == true)
            }
        }
    }

    @Test("are refused when a zip's pictures are more than two requests may be")
    func bomb() async throws {
        try await Self.server(StubJobStore()) {
            $0.maxRequestBytes = 100_000
            $0.pictures.encodedBytes = 50_000
        }.test { client in
            let bomb = try (0..<5).reduce(Zip()) { $0.file("\($1).bmp", ArchiveReadingTests.picture(50_000)) }.bytes
            try await client.execute(uri: Self.path, method: .post, body: bomb) {
                #expect($0.status == .contentTooLarge)
                #expect($0.json.code == "upload_too_large")
                #expect($0.json.detail.string?.contains("larger than 200000 bytes together") == true)
            }
        }
    }

    @Test("with a webhook are refused where there is no secret")
    func noSecret() async throws {
        try await TestServer(jobs: StubJobStore()).test { client in
            try await client.execute(
                uri: Self.path + "?webhook=https://hooks.example.org/",
                method: .post,
                body: TestPicture.blocks()
            ) {
                #expect($0.status == .badRequest)
                #expect($0.json.code == "bad_parameter")
                #expect($0.json.detail.string?.contains("webhook_secret") == true)
            }
        }
    }

    @Test("are refused where none are kept, with the reason")
    func off() async throws {
        try await TestServer().test { client in
            let calls: [(HTTPRequest.Method, String)] = [
                (.post, Self.path), (.get, "/v1/jobs"), (.get, "/v1/jobs/x"), (.delete, "/v1/jobs/x"),
                (.get, "/v1/jobs/x/events"),
            ]
            for (method, path) in calls {
                try await client.execute(uri: path, method: method, body: method == .post ? TestPicture.blocks() : nil)
                {
                    #expect($0.status == .serviceUnavailable)
                    #expect($0.json.code == "jobs_unavailable")
                    #expect($0.json.detail == "jobs can't be kept: they are off (setting jobs)")
                    // Waiting does not help.
                    #expect($0.headers[.retryAfter] == nil)
                }
            }
        }
    }

    @Test("are refused for a while when so many wait, or when the store can't be used")
    func full() async throws {
        let store = StubJobStore()
        let failures: [(BulkError, String)] = [
            (.full(limit: "at most 8 GiB may wait", setting: "job_bytes"), "queue_full"),
            (.unavailable(reason: "no disk"), "jobs_unavailable"),
            (.damaged(reason: "no disk"), "jobs_unavailable"),
            (.noSpace(reason: "no disk"), "disk_full"),
        ]
        try await Self.server(store).test { client in
            for (failure, code) in failures {
                await store.fail(with: failure)
                try await client.execute(uri: Self.path, method: .post, body: TestPicture.blocks()) {
                    #expect($0.status == .serviceUnavailable)
                    #expect($0.headers[.retryAfter] == (code == "disk_full" ? "60" : "5"))
                    #expect($0.json.code.string == code)
                }
            }
        }
    }
}
