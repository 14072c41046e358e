// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidModels
import NereidVision
import Testing

@testable import NereidJobs
@testable import NereidServer

@Suite("Directories of models")
struct ModelDirectoryTests {
    /// Models that workers elsewhere serve.
    private struct Remote: ModelDirectory {
        var models: [RemoteModel]
        var recent: [RemoteModel] = []
        var obstacles: [String] = []

        var entries: [ModelEntry] { models.map(ModelEntry.remote) }

        func model(named name: String) throws -> JobModel {
            guard let model = (models + recent).first(where: { $0.name == name || $0.aliases.contains(name) }) else {
                throw ModelsError.notFound(name: name, served: models.map(\.name))
            }
            return .remote(model)
        }
    }

    static func model(_ name: String, aliases: [String] = [], devices: String...) -> RemoteModel {
        RemoteModel(
            name: name,
            aliases: aliases,
            task: .detect,
            labels: Labels(["urchin", "star"]),
            ignoresOrientation: false,
            workers: devices.enumerated().map { index, device in
                .init(
                    worker: "w\(index)",
                    host: "reef-\(index)",
                    software: "nereid 1.\(index)",
                    file: "\(name)-\(index).onnx",
                    engine: "ONNX Runtime",
                    device: device,
                    instances: 2,
                    running: index
                )
            },
            input: .init(width: 640, height: 320, fit: "rect"),
            defaults: PredictionDefaults()
        )
    }

    @Test("joined list each name once, and the first one's model answers")
    func joined() async throws {
        let local = try await TestServer().repository
        let remote = Remote(models: [Self.model("blocks"), Self.model("deep", aliases: ["blocks-alias"])])
        let both = JoinedDirectory([local, remote])
        #expect(both.entries.map(\.name) == ["blocks", "deep"])
        guard case .loaded = try both.model(named: "blocks") else { Issue.record("not the loaded one"); return }
        guard case .remote = try both.model(named: "deep") else { Issue.record("not the remote one"); return }
        // An alias of the first goes before the same alias of the second.
        #expect(try both.model(named: "blocks-alias").name == "blocks")
        #expect(try both.firstModel().name == "blocks")
        #expect(throws: ModelsError.notFound(name: "x", served: ["blocks", "deep"])) { try both.model(named: "x") }
        #expect(throws: ModelsError.notFound(name: "x", served: ["blocks", "deep"])) { try both.entry(named: "x") }
        #expect(both.obstacles == [])
    }

    @Test("joined know models whose workers went a moment ago, and what stands against any of them")
    func recent() async throws {
        let local = try await TestServer().repository
        let remote = Remote(models: [], recent: [Self.model("deep")], obstacles: ["no worker"])
        let both = JoinedDirectory([local, remote])
        #expect(both.entries.map(\.name) == ["blocks"])
        #expect(try both.model(named: "deep").name == "deep")
        #expect(both.obstacles == ["no worker"])
    }

    @Test("without a model say so")
    func nothing() throws {
        #expect(throws: ModelsError.notFound(name: "", served: [])) { try Remote(models: []).firstModel() }
    }

    @Test("of workers show each worker with its version, and what they have in common once")
    func remoteDocument() throws {
        let model = Self.model("deep", aliases: ["d"], devices: "cuda:0", "cpu", "cpu")
        let document = ModelDocument(
            .remote(model),
            load: .init(waiting: 3, waitingBytes: 5, running: 4),
            limits: .init()
        )
        #expect((document.name, document.aliases, document.task) == ("deep", ["d"], "detect"))
        #expect((document.state, document.device, document.engine) == ("ready", "cpu, cuda:0", "ONNX Runtime"))
        #expect((document.instances, document.queue.depth, document.queue.running) == (6, 3, 4))
        #expect(document.classes == ["urchin", "star"])
        #expect((document.input?.width, document.input?.height, document.input?.fit) == (640, 320, "rect"))
        #expect((document.defaults?.confidence, document.defaults?.topK) == (0.25, 5))
        #expect(document.workers?.map(\.file) == ["deep-0.onnx", "deep-1.onnx", "deep-2.onnx"])
        #expect(document.workers?.map(\.software) == ["nereid 1.0", "nereid 1.1", "nereid 1.2"])
    }

    @Test("show what could not be read of a model's file, and nothing where all could")
    func warnings() throws {
        var model = Self.model("deep", devices: "cpu")
        func document() -> ModelDocument {
            ModelDocument(.remote(model), load: .init(waiting: 0, waitingBytes: 0, running: 0), limits: .init())
        }
        #expect(document().warnings == nil)
        model.warnings = ["the metadata's ‘names’ can't be read"]
        #expect(document().warnings == ["the metadata's ‘names’ can't be read"])
        #expect(try String(decoding: JSONEncoder().encode(document()), as: UTF8.self).contains("\"warnings\":[\"the"))
    }

    @Test("of workers are counted in the metrics")
    func metrics() throws {
        let read = try PrometheusText(
            ServerMetrics().text(models: [.remote(Self.model("deep", devices: "cpu", "cpu"))], load: { _ in .idle })
        )
        #expect(read.value("nereid_workers", ["model": "deep"]) == 2)
        #expect(read.value("nereid_session_instances", ["model": "deep"]) == 4)
        #expect(read.value("nereid_model_ready", ["model": "deep"]) == 1)
    }
}
