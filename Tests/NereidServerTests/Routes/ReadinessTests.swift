// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import HummingbirdTesting
import NereidJobs
import NereidModels
import TestSupport
import Testing

@testable import NereidServer

@Suite("Readiness")
struct ReadinessTests {
    /// A folder with models of these names, each a fixture's.
    private static func folder(_ models: [String: String]) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for (name, fixture) in models { try folder.put(TestServer.path(of: fixture), as: "\(name).onnx") }
        return folder
    }

    @Test("is degraded, not lost, when a file in a watched folder is broken beside good ones")
    func degraded() async throws {
        let folder = try Self.folder(["good": "blocks-v8", "bad": "broken"])
        let server = try await TestServer(["blocks=blocks-v8"], folders: [folder.path])
        try await server.test { client in
            try await client.execute(uri: "/health/ready", method: .get) {
                #expect($0.status == .ok)
                #expect($0.json.keys == ["broken", "status"])
                #expect($0.json.status == "degraded")
                let broken = $0.json.broken[0]
                #expect(broken.keys == ["answers", "file", "model", "reason"])
                #expect((broken.model, broken.file) == ("bad", .string(folder.path("bad.onnx"))))
                #expect(broken.reason.string?.contains("‘bad’ was refused") == true)
                #expect(broken.answers == false)
            }
            try await client.execute(uri: "/metrics", method: .get) {
                let read = try PrometheusText($0.text)
                #expect(read.value("nereid_ready", [:]) == 1)
                #expect(read.value("nereid_models_broken", [:]) == 1)
                #expect(read.value("nereid_model_broken", ["model": "bad"]) == 1)
                #expect(read.value("nereid_model_broken", ["model": "good"]) == 0)
            }
        }
    }

    @Test("ends when a model that was named is broken, and says which; others are listed as broken")
    func named() async throws {
        let folder = try Self.folder(["worse": "broken"])
        let server = try await TestServer(["bad=broken", "blocks=blocks-v8"], folders: [folder.path])
        try await server.test { client in
            try await client.execute(uri: "/health/ready", method: .get) {
                #expect($0.status == .serviceUnavailable)
                #expect($0.json.status == "not ready")
                #expect($0.json.missing.elements.count == 1)
                #expect($0.json.missing[0].string?.hasPrefix("model ‘bad’ can't be served: ") == true)
                #expect($0.json.broken.elements.map(\.model) == ["bad", "worse"])
            }
            try await client.execute(uri: "/metrics", method: .get) {
                let read = try PrometheusText($0.text)
                #expect(read.value("nereid_ready", [:]) == 0)
            }
        }
    }

    @Test("lasts while an earlier version of a named model answers, and says that it is degraded")
    func earlierVersion() async throws {
        let folder = try Self.folder(["reef": "blocks-v8"])
        let repository = ModelRepository(
            locations: [ModelLocation(path: folder.path("reef.onnx"))],
            logger: TestServer.logger,
            load: TestServer.load
        )
        await repository.refresh(isFirst: true)
        #expect(ReadinessReport(repository).state == .ready)
        try folder.put(TestServer.path(of: "broken"), as: "reef.onnx")
        for _ in 0..<2 { await repository.refresh() }
        let report = ReadinessReport(repository, required: ["reef"])
        #expect(report.state == .degraded)
        #expect(report.broken.map(\.answers) == [true])
        // Gone is another matter than broken.
        try folder.remove("reef.onnx")
        await repository.refresh()
        #expect(
            ReadinessReport(repository).missing
                == ["model ‘reef’ is missing: there is no model at \(folder.path("reef.onnx"))"]
        )
        try folder.put(TestServer.path(of: "blocks-v8"), as: "reef.onnx")
        for _ in 0..<2 { await repository.refresh() }
        #expect(ReadinessReport(repository).state == .ready)
    }

    @Test("depends on required models wherever they come from, by name or alias")
    func required() async throws {
        let folder = try Self.folder(["good": "blocks-v8", "bad": "broken"])
        let repository = try await TestServer([], folders: [folder.path]).repository
        #expect(ReadinessReport(repository, required: ["good"]).state == .degraded)
        #expect(ReadinessReport(repository, required: ["good-alias"]).state == .degraded)
        let bad = ReadinessReport(repository, required: ["good", "bad"])
        #expect(bad.state == .notReady && bad.missing.count == 1)
        #expect(bad.missing[0].hasPrefix("model ‘bad’ can't be served: "))
        let absent = ReadinessReport(repository, required: ["cod"])
        #expect(absent.missing.count == 1)
        #expect(absent.missing[0].hasPrefix("model ‘cod’ is missing: no file of this process has that name"))
        let server = try await TestServer([], folders: [folder.path]) { $0.requiredModels = ["cod"] }
        try await server.test { client in
            try await client.execute(uri: "/health/ready", method: .get) {
                #expect($0.status == .serviceUnavailable)
                #expect($0.json.missing[0].string?.contains("‘cod’") == true)
            }
        }
    }

    @Test("ends when nothing at all can be served")
    func nothing() async throws {
        let empty = try Self.folder([:])
        let repository = try await TestServer([], folders: [empty.path]).repository
        #expect(
            ReadinessReport(repository).missing == ["there is no model in the watched folders; put one there"]
        )
        let bad = try Self.folder(["bad": "broken"])
        let broken = ReadinessReport(try await TestServer([], folders: [bad.path]).repository)
        #expect(broken.state == .notReady)
        #expect(broken.missing[0].hasPrefix("no model answers requests: ‘bad’ "))
        #expect(broken.broken.count == 1)
    }

    @Test("is not lost while a model that came to a watched folder is loaded")
    func loading() async throws {
        let folder = try Self.folder(["good": "blocks-v8"])
        let (begun, beginning) = AsyncStream<Void>.makeStream()
        let (finish, finishing) = AsyncStream<Void>.makeStream()
        let repository = ModelRepository(
            locations: [ModelLocation(path: folder.path)],
            logger: TestServer.logger
        ) { found in
            if found.name == "late" {
                beginning.yield()
                for await _ in finish { break }
            }
            return try await TestServer.load(found)
        }
        await repository.refresh(isFirst: true)
        try folder.put(TestServer.path(of: "blocks-v8"), as: "late.onnx")
        await repository.refresh()
        let look = Task { await repository.refresh() }
        for await _ in begun { break }
        #expect(ReadinessReport(repository).state == .ready)
        #expect(ReadinessReport(repository, required: ["late"]).missing == ["model ‘late’ is being loaded"])
        finishing.yield()
        await look.value
        #expect(ReadinessReport(repository, required: ["late"]).state == .ready)
    }

    @Test("is degraded by files that have no name of their own, or one that can't be shown")
    func leftOut() async throws {
        let folder = try Self.folder(["blocks": "blocks-v8", "a\nb": "blocks-v8"])
        let server = try await TestServer(["blocks=blocks-v8"], folders: [folder.path])
        try await server.test { client in
            try await client.execute(uri: "/health/ready", method: .get) {
                #expect($0.status == .ok)
                #expect($0.json.status == "degraded")
                let broken = $0.json.broken.elements
                #expect(broken.map(\.model) == ["a\\nb", .null])
                #expect(broken[1].file == .string(folder.path("blocks.onnx")))
                #expect(broken[1].reason.string?.contains("two files ask for the name ‘blocks’") == true)
            }
        }
    }

    /// Models that workers elsewhere serve.
    private struct Remote: ModelDirectory {
        var entries: [ModelEntry] = []
        var obstacles: [String] = []
        var absence: String { "no worker serves a model" }

        func model(named name: String) throws -> JobModel { throw ModelsError.notFound(name: name, served: []) }
    }

    @Test("of a gateway depends on its queue, on some worker, and on workers for required models")
    func gateway() async throws {
        #expect(ReadinessReport(Remote()).missing == ["no worker serves a model"])
        let lost = Remote(obstacles: ["the queue can't be reached: x"])
        #expect(ReadinessReport(lost, required: ["deep"]).missing == ["the queue can't be reached: x"])
        let served = Remote(entries: [.remote(ModelDirectoryTests.model("deep", aliases: ["d"], devices: "cpu"))])
        #expect(ReadinessReport(served, required: ["deep", "d"]).state == .ready)
        #expect(
            ReadinessReport(served, required: ["reef"]).missing
                == ["model ‘reef’ is missing: no worker serves a model"]
        )
        // A process that has both: what one lacks the other may have.
        let empty = try Self.folder([:])
        let local = try await TestServer([], folders: [empty.path]).repository
        #expect(ReadinessReport(JoinedDirectory([local, served]), required: ["deep"]).state == .ready)
        #expect(ReadinessReport(JoinedDirectory([local, Remote()])).state == .notReady)
    }

    @Test("ends at the signal to stop")
    func stopping() async throws {
        let good = try await TestServer().repository
        let readiness = Readiness(required: ["blocks"])
        #expect(readiness.report(good).state == .ready)
        readiness.stopping.come()
        #expect(readiness.report(good).missing == ["the server is shutting down"])
    }
}
