// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import HummingbirdTesting
import NIOCore
import NereidJobs
import Testing

@testable import NereidServer

/// What a client is told when there is no answer for it.
@Suite("Refusals")
struct RefusalTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var path = PredictRouteTests.path
        var headers: HTTPFields = [:]
        let body: ByteBuffer
        let status: Int
        let code: Problem.Code
        let words: [String]
    }

    static let samples: [Sample] = [
        Sample(
            testDescription: "an unknown model",
            path: "/v1/models/cod/predict",
            body: ByteBuffer(string: "x"),
            status: 404,
            code: .modelNotFound,
            words: ["‘cod’", "served here: blocks"]
        ),
        Sample(
            testDescription: "a parameter that does not exist",
            path: PredictRouteTests.path + "?confidense=0.5",
            body: ByteBuffer(string: "x"),
            status: 400,
            code: .badParameter,
            words: ["‘confidense’", "confidence"]
        ),
        Sample(
            testDescription: "a value that can't be",
            path: PredictRouteTests.path + "?iou=2",
            body: ByteBuffer(string: "x"),
            status: 400,
            code: .badParameter,
            words: ["‘iou’ is ‘2’", "from 0 to 1"]
        ),
        Sample(
            testDescription: "an unknown class",
            path: PredictRouteTests.path + "?classes=cod",
            body: ByteBuffer(string: "x"),
            status: 400,
            code: .badParameter,
            words: ["‘cod’", "red, green, blue"]
        ),
        Sample(
            testDescription: "no body",
            body: ByteBuffer(),
            status: 400,
            code: .malformedUpload,
            words: ["has no body", "‘file’"]
        ),
        Sample(
            testDescription: "a form without a file",
            headers: Form.headers,
            body: Form().field("model_type", "blocks").body,
            status: 400,
            code: .malformedUpload,
            words: ["no part called ‘file’"]
        ),
        Sample(
            testDescription: "a form whose file field is empty",
            headers: Form.headers,
            body: Form().file("", ByteBuffer()).body,
            status: 400,
            code: .malformedUpload,
            words: ["no part called ‘file’"]
        ),
        Sample(
            testDescription: "a form without a boundary",
            headers: [.contentType: "multipart/form-data"],
            body: Form().body,
            status: 400,
            code: .malformedUpload,
            words: ["names no boundary"]
        ),
        Sample(
            testDescription: "a form that ends too early",
            headers: Form.headers,
            body: ByteBuffer(string: "--\(Form.boundary)\r\nContent-Disposition: form-data; name=file\r\n\r\nabc"),
            status: 400,
            code: .malformedUpload,
            words: ["cut short"]
        ),
        Sample(
            testDescription: "something that is no picture",
            body: ByteBuffer(string: "This is not a picture."),
            status: 415,
            code: .notAPicture,
            words: ["not a picture", "JPEG, PNG"]
        ),
        Sample(
            testDescription: "a damaged picture",
            body: ByteBuffer(bytes: [0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 0x4A, 0x46, 0x49, 0x46, 0]),
            status: 422,
            code: .damagedPicture,
            words: ["JPEG picture is damaged"]
        ),
        Sample(
            testDescription: "a picture beyond the limit on bytes",
            body: ByteBuffer(repeating: 0, count: 20_001),
            status: 413,
            code: .uploadTooLarge,
            words: ["20000 bytes", "max_picture_bytes"]
        ),
        Sample(
            testDescription: "a picture in a form beyond the limit on bytes",
            headers: Form.headers,
            body: Form().file("a.png", ByteBuffer(repeating: 0, count: 20_001)).body,
            status: 413,
            code: .uploadTooLarge,
            words: ["20000 bytes", "max_picture_bytes"]
        ),
        Sample(
            testDescription: "a request beyond the limit",
            headers: Form.headers,
            body: ByteBuffer(repeating: 0, count: 100_001),
            status: 413,
            code: .uploadTooLarge,
            words: ["100000 bytes", "max_request_bytes"]
        ),
        Sample(
            testDescription: "a form field that is too long",
            headers: Form.headers,
            body: Form().field("classes", String(repeating: "x", count: (64 << 10) + 1)).body,
            status: 413,
            code: .uploadTooLarge,
            words: ["‘classes’", "65536 bytes"]
        ),
        Sample(
            testDescription: "a path that leads nowhere",
            path: "/v2/models",
            body: ByteBuffer(string: "x"),
            status: 404,
            code: .notFound,
            words: ["/v1/models/{model}/predict"]
        ),
    ]

    @Test("say what happened, to what, and what to do", arguments: samples)
    func refused(sample: Sample) async throws {
        let server = try await TestServer {
            $0.pictures.encodedBytes = 20_000
            $0.maxRequestBytes = 100_000
        }
        try await server.test { client in
            try await client.execute(uri: sample.path, method: .post, headers: sample.headers, body: sample.body) {
                #expect(Int($0.status.code) == sample.status)
                #expect($0.headers[.contentType] == "application/problem+json")
                #expect($0.headers[.requestID] != nil)
                let json = $0.json
                #expect(json.keys == ["code", "detail", "status", "title", "type"])
                #expect(json.code.string == sample.code.rawValue)
                #expect(json.status == .number(Double(sample.status)))
                for word in sample.words { #expect(json.detail.string?.contains(word) == true, "\(json.detail)") }
            }
        }
    }

    @Test("ask to come again when the queue is full")
    func queueFull() async throws {
        let full = StubQueue { job in
            throw JobError.queueFull(model: job.model.name, limit: "at most 1 may wait", setting: "queue_jobs")
        }
        try await TestServer(queue: full).test { client in
            for body in [try TestPicture.blocks(), try TestPicture.blocks()] {
                try await client.execute(uri: PredictRouteTests.path, method: .post, body: body) {
                    #expect($0.status == .serviceUnavailable)
                    #expect($0.headers[.retryAfter] == "1")
                    #expect($0.json.code == "queue_full")
                }
            }
        }
    }

    @Test("say when there will be room, in every format", arguments: [(4.2, "5"), (0.001, "1"), (900, "60")])
    func timeUntilRoom(seconds: Double, header: String) async throws {
        let full = StubQueue(timeUntilRoom: .seconds(seconds)) { job in
            throw JobError.queueFull(model: job.model.name, limit: "at most 1 may wait", setting: "queue_jobs")
        }
        try await TestServer(queue: full).test { client in
            let form = Form().field("model_type", "blocks").file("a.png", try TestPicture.blocks())
            try await client.execute(uri: PredictRouteTests.path, method: .post, body: TestPicture.blocks()) {
                #expect($0.headers[.retryAfter] == header)
            }
            try await client.execute(uri: "/predictor/", method: .post, headers: Form.headers, body: form.body) {
                #expect($0.headers[.retryAfter] == header)
            }
        }
    }

    @Test("tell of a deadline that has passed, and pass the request's own on to the queue")
    func deadline() async throws {
        let queue = StubQueue { job in
            #expect(job.deadline > .now && job.deadline < .now + .seconds(60))
            throw JobError.deadlinePassed(model: job.model.name, hadBegun: true)
        }
        try await TestServer(queue: queue) { $0.requestTimeout = .seconds(60) }.test { client in
            try await client.execute(uri: PredictRouteTests.path, method: .post, body: TestPicture.blocks()) {
                #expect($0.status == .gatewayTimeout)
                #expect($0.json.code == "deadline_passed")
            }
        }
    }

    @Test("do not tell a client what only the log should hold")
    func unforeseen() async throws {
        struct Secret: Error {}
        try await TestServer(queue: StubQueue { _ in throw Secret() }).test { client in
            try await client.execute(uri: PredictRouteTests.path, method: .post, body: TestPicture.blocks()) {
                #expect($0.status == .internalServerError)
                #expect($0.json.code == "internal_error")
                #expect(!$0.text.contains("Secret"))
            }
        }
    }

    @Test("come before a model that is broken or still being loaded could be asked")
    func notReady() async throws {
        try await TestServer(["bad=broken", "blocks=blocks-v8"]).test { client in
            try await client.execute(uri: "/v1/models/bad/predict", method: .post, body: TestPicture.blocks()) {
                #expect($0.status == .serviceUnavailable)
                #expect($0.json.code == "model_broken")
                #expect($0.json.detail.string?.contains("‘bad’") == true)
            }
        }
        try await TestServer(isLoaded: false).test { client in
            try await client.execute(uri: PredictRouteTests.path, method: .post, body: TestPicture.blocks()) {
                #expect($0.status == .notFound)
                #expect($0.json.detail == "model ‘blocks’ not found: no model is served here yet")
            }
        }
    }

    @Test("end uploads that all memory is in use for")
    func memory() async throws {
        try await TestServer { $0.maxUploadMemory = 100 }.test { client in
            try await client.execute(uri: PredictRouteTests.path, method: .post, body: TestPicture.blocks()) {
                #expect($0.status == .serviceUnavailable)
                #expect($0.headers[.retryAfter] == "1")
                #expect($0.json.code == "upload_memory_full")
            }
        }
    }
}
