// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import HummingbirdTesting
import NIOCore
import NereidJobs
import NereidModels
import NereidPage
import Testing

@testable import NereidServer

@Suite("What the server says of itself")
struct StateRouteTests {
    @Test("lists its models and how they stand", arguments: ["", "/"])
    func models(slash: String) async throws {
        let queue = StubQueue(waiting: 3) { _ in throw CancellationError() }
        try await TestServer(["blocks=blocks-v8", "bad=broken"], queue: queue).test { client in
            try await client.execute(uri: "/v1/models\(slash)", method: .get) {
                let models = $0.json.models
                #expect(models.elements.map(\.name) == ["blocks", "bad"])
                let good = models[0]
                #expect(
                    good.keys == [
                        "aliases", "classes", "defaults", "device", "engine", "head", "input", "instances", "name",
                        "queue", "state", "task", "threads",
                    ]
                )
                #expect((good.state, good.task, good.device) == ("ready", "detect", "cpu"))
                #expect((good.aliases, good.classes) == (["blocks-alias"], ["red", "green", "blue"]))
                #expect(good.head.keys == ["because", "kind"])
                #expect(good.head.kind == "yolov8")
                #expect((good.input.width, good.input.height, good.input.fit) == (160, 160, "rect"))
                #expect(good.defaults.keys == ["class_agnostic", "confidence", "iou", "max_detections", "top_k"])
                #expect((good.queue.depth, good.queue.limit, good.queue.running) == (3, 64, 0))
                let bad = models[1]
                #expect(bad.keys == ["aliases", "name", "queue", "reason", "state"])
                #expect(bad.state == "failed")
                #expect(bad.reason.string?.contains("‘bad’") == true)
            }
        }
    }

    @Test("describes one model by name or alias, or says which there are")
    func oneModel() async throws {
        try await TestServer().test { client in
            for name in ["blocks", "blocks-alias", "blocks/"] {
                try await client.execute(uri: "/v1/models/\(name)", method: .get) {
                    #expect($0.json.name == "blocks")
                }
            }
            try await client.execute(uri: "/v1/models/cod", method: .get) {
                #expect($0.status == .notFound)
                #expect($0.json.detail == "model ‘cod’ not found; served here: blocks")
            }
        }
    }

    @Test("is live at once, and ready when every model is")
    func health() async throws {
        let server = try await TestServer(isLoaded: false)
        try await server.test { client in
            func ready() async throws -> (HTTPResponse.Status, JSON) {
                try await client.execute(uri: "/health/ready", method: .get) { ($0.status, $0.json) }
            }
            try await client.execute(uri: "/health/live", method: .get) {
                #expect($0.status == .ok)
                #expect($0.json.status == "live")
            }
            let before = try await ready()
            #expect(before.0 == .serviceUnavailable)
            #expect((before.1.status, before.1.missing) == ("not ready", ["models are being loaded"]))
            await server.repository.refresh(isFirst: true)
            let after = try await ready()
            #expect((after.0, after.1.status) == (.ok, "ready"))
        }
    }

    @Test("is ready, but says so, while jobs can't be kept; predictions go on")
    func jobsUnavailable() async throws {
        let store = StubJobStore()
        try await TestServer(jobs: store).test { client in
            try await client.execute(uri: "/health/ready", method: .get) {
                #expect($0.status == .ok)
                #expect($0.json.keys == ["status"])
            }
            store.state.withLock {
                $0.isAvailable = false
                $0.troubles = ["the disk is full"]
                ($0.fileBytes, $0.freeBytes, $0.reservedBytes) = (7000, 20, 0)
            }
            await store.fail(with: .noSpace(reason: "the disk is full"))
            try await client.execute(uri: "/health/ready", method: .get) {
                #expect($0.status == .ok)
                #expect(($0.json.status, $0.json.degraded) == ("degraded", ["the disk is full"]))
            }
            try await client.execute(uri: "/v1/jobs/x", method: .get) {
                #expect($0.status == .serviceUnavailable)
                #expect($0.json.detail == "jobs can't be kept: the disk is full")
            }
            try await client.execute(uri: PredictRouteTests.path, method: .post, body: TestPicture.blocks()) {
                #expect($0.status == .ok)
            }
            try await client.execute(uri: "/metrics", method: .get) {
                let read = try PrometheusText($0.text)
                let values = ["available", "bytes", "free_bytes", "reserved_bytes"].map {
                    read.value("nereid_job_store_\($0)")
                }
                #expect(values == [0, 7000, 20, 0])
            }
        }
    }

    @Test("counts requests, pictures and detections")
    func metrics() async throws {
        try await TestServer().test { client in
            for body in [try TestPicture.blocks(), try TestPicture.blocks(), ByteBuffer(string: "x")] {
                try await client.execute(uri: PredictRouteTests.path, method: .post, body: body) { _ in }
            }
            try await client.execute(uri: "/no/such/path", method: .get) { _ in }
            try await client.execute(uri: "/metrics", method: .get) {
                #expect($0.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
                let read = try PrometheusText($0.text)
                let endpoint = "/v1/models/{model}/predict"
                #expect(read.value("nereid_requests_total", ["endpoint": endpoint, "status": "200"]) == 2)
                #expect(read.value("nereid_requests_total", ["endpoint": endpoint, "status": "415"]) == 1)
                // Never the path itself, which anybody could invent.
                #expect(read.value("nereid_requests_total", ["endpoint": "NotFound", "status": "404"]) == 1)
                #expect(read.value("nereid_request_seconds_count", ["endpoint": endpoint]) == 3)
                #expect(read.value("nereid_pictures_total", ["model": "blocks"]) == 2)
                #expect(read.value("nereid_detections_total", ["model": "blocks"]) == 4)
                #expect(read.value("nereid_predictions_total", ["model": "blocks", "outcome": "ok"]) == 2)
                #expect(read.value("nereid_predictions_total", ["model": "blocks", "outcome": "not_a_picture"]) == 1)
                #expect(read.value("nereid_stage_seconds_count", ["model": "blocks", "stage": "inference"]) == 2)
                #expect(read.value("nereid_stage_seconds_count", ["model": "blocks", "stage": "whole"]) == 2)
                #expect(read.value("nereid_model_ready", ["model": "blocks"]) == 1)
                #expect(read.value("nereid_session_instances", ["model": "blocks"]) == 1)
                #expect(read.value("nereid_queue_depth", ["model": "blocks"]) == 0)
                #expect(read.kinds.keys.allSatisfy { read.help[$0] != nil })
            }
        }
    }

    @Test("leaves no state behind of a model that has gone")
    func metricsOfGoneModel() async throws {
        let (metrics, uploads) = (ServerMetrics(), UploadMemory(limit: 1))
        let queue = StubQueue { _ in throw CancellationError() }
        let served = try await TestServer().repository.entries
        let gone = try await TestServer([]).repository.entries
        let before = try PrometheusText(metrics.text(models: served, load: queue.load, uploads: uploads))
        #expect(before.value("nereid_model_ready", ["model": "blocks"]) == 1)
        #expect(!metrics.text(models: gone, load: queue.load, uploads: uploads).contains("blocks"))
    }

    @Test("carries its page, which may load nothing from elsewhere")
    func page() async throws {
        try await TestServer().test { client in
            for file in [PageFile.index] + PageFile.assets {
                let path = file.name == "index.html" ? "/" : "/web/\(file.name)"
                try await client.execute(uri: path, method: .get) {
                    #expect($0.status == .ok)
                    #expect($0.headers[.contentType] == file.mediaType)
                    #expect(Array($0.body.readableBytesView) == file.bytes)
                    let policy = $0.headers[HTTPField.Name("Content-Security-Policy")!]
                    #expect(policy?.hasPrefix("default-src 'none'; script-src 'self';") == true)
                    #expect($0.headers[.contentTypeOptions] == "nosniff")
                    #expect($0.headers[.referrerPolicy] == "no-referrer")
                }
                try await client.execute(uri: path, method: .head) { #expect($0.status == .ok) }
            }
            try await client.execute(uri: "/web/nothing.js", method: .get) { #expect($0.status == .notFound) }
            try await client.execute(uri: "/web/../Package.swift", method: .get) { #expect($0.status == .notFound) }
        }
    }

    @Test("lets pages of other origins ask when it is told so", arguments: ["*", "https://lab.example.org"])
    func otherOrigins(allowed: String) async throws {
        let headers: HTTPFields = [.origin: "https://lab.example.org"]
        try await TestServer { $0.corsOrigin = allowed }.test { client in
            try await client.execute(uri: "/v1/models", method: .get, headers: headers) {
                #expect($0.headers[.accessControlAllowOrigin] == allowed)
                #expect(
                    $0.headers[.accessControlExposeHeaders]
                        == "X-Request-ID, Server-Timing, Retry-After, Location, traceparent"
                )
            }
            try await client.execute(uri: PredictRouteTests.path, method: .options, headers: headers) {
                #expect($0.headers[.accessControlAllowOrigin] == allowed)
                #expect($0.headers[.accessControlAllowMethods] == "GET, POST, DELETE, OPTIONS")
                #expect(
                    $0.headers[.accessControlAllowHeaders]?.lowercased()
                        == "accept, content-type, content-encoding, authorization, idempotency-key, last-event-id, "
                        + "x-request-id, traceparent, tracestate"
                )
            }
            // Errors are to be read by them too.
            try await client.execute(uri: "/v1/models/cod", method: .get, headers: headers) {
                #expect($0.status == .notFound)
                #expect($0.headers[.accessControlAllowOrigin] == allowed)
            }
        }
        try await TestServer().test { client in
            try await client.execute(uri: "/v1/models", method: .get, headers: headers) {
                #expect($0.headers[.accessControlAllowOrigin] == nil)
            }
        }
    }
}
