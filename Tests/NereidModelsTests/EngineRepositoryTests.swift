// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import NereidVision
import TestSupport
import Testing

@testable import NereidModels

@Suite("Model repository on an engine")
struct EngineRepositoryTests {
    let folder: TemporaryFolder
    let repository: ModelRepository
    let picture: Picture

    init() async throws {
        folder = try TemporaryFolder()
        repository = try Fixtures.repository([ModelLocation(path: folder.path)])
        // Green all over: every cell scores.
        let pixels = [UInt8](repeating: 0, count: 32 * 32 * 3).enumerated().map { UInt8($0.offset % 3 == 1 ? 255 : 0) }
        picture = try Picture(width: 32, height: 32, pixels: pixels)
        try folder.write("input_size: 32\naliases: [benthic]\nrename: {green: algae}", to: "reef.yaml")
    }

    @Test("replaces a model while a prediction runs on the old version")
    func replacement() async throws {
        try folder.put(Fixtures.path("slow"), as: "reef.onnx")
        await repository.refresh(isFirst: true)
        let old = try repository.catalogue.model(named: "reef")
        let prediction = Task { [old, picture] in try await old.vision.predict([picture]) }
        try folder.put(Fixtures.path("blocks-v8"), as: "reef.onnx")
        for _ in 0..<2 { await repository.refresh() }
        let new = try repository.catalogue.model(named: "reef")
        #expect(new !== old)
        #expect(try await new.vision.predict([picture])[0].detections.count == 4)
        #expect(try await prediction.value[0].detections.map(\.label) == ["algae", "algae", "algae", "algae"])
        #expect(try repository.catalogue.model(named: "benthic") === new)
    }

    @Test("keeps serving when a broken graph is put in the place of a good one")
    func broken() async throws {
        try folder.put(Fixtures.path("blocks-v8"), as: "reef.onnx")
        await repository.refresh(isFirst: true)
        try folder.put(Fixtures.path("broken"), as: "reef.onnx")
        for _ in 0..<2 { await repository.refresh() }
        let model = try repository.catalogue.model(named: "reef")
        #expect(try await model.vision.predict([picture])[0].detections.count == 4)
        #expect(repository.catalogue.status(named: "reef")?.failure?.contains("it is cut short") == true)
    }

    @Test("says of settings that can't be used where they stand")
    func settings() async throws {
        try folder.put(Fixtures.path("blocks-v8"), as: "reef.onnx")
        let path = try folder.write("confidence: 2", to: "reef.yaml")
        await repository.refresh(isFirst: true)
        #expect(
            repository.catalogue.status(named: "reef")?.failure
                == "the settings in \(path) can't be used: ‘confidence’ must lie between 0 and 1, not 2.0"
        )
    }

    @Test("lets a model's own settings go before the server's, and fills in the rest")
    func session() async throws {
        try folder.put(Fixtures.path("blocks-v8"), as: "reef.onnx")
        try folder.write("input_size: 32\ninstances: 2", to: "reef.yaml")
        await repository.refresh(isFirst: true)
        let session = try repository.catalogue.model(named: "reef").vision.session
        #expect((session.instances, session.threads, session.device) == (2, 1, .cpu))
    }

    @Test("loads the one model at a location for commands that need no repository")
    func only() async throws {
        try folder.put(Fixtures.path("blocks-v8"), as: "reef.onnx")
        let model = try await Fixtures.load(ModelLocation.onlyModel(at: ModelLocation(path: folder.path)))
        #expect((model.name, model.aliases, model.path) == ("reef", ["benthic"], folder.path("reef.onnx")))
    }

    /// A library that was built for GPUs, on a machine where no session can be made there.
    private struct WithoutGPU: Engine {
        let engine: ONNXRuntimeEngine
        var name: String { engine.name }
        var version: String { engine.version }
        let devices = [Device.cpu, .cuda(0)]

        func makeSession(_ graph: GraphSource, options: SessionOptions) async throws -> any Session {
            var options = options
            switch options.device {
            case .cuda: throw InferenceError.deviceUnavailable(options.device, available: [.cpu], reason: "no driver")
            case .auto: options.device = .cpu
            case .cpu: break
            }
            return try await engine.makeSession(graph, options: options)
        }
    }

    @Test("runs on the processor with a warning where ‘auto’ finds no GPU, and fails where a GPU is named")
    func devices() async throws {
        for name in ["auto", "cpu", "cuda"] { try folder.put(Fixtures.path("blocks-v8"), as: "\(name).onnx") }
        for name in ["cpu", "cuda"] { try folder.write("device: \(name)", to: "\(name).yaml") }
        let log = LogReader()
        let repository = ModelRepository(
            locations: [ModelLocation(path: folder.path)],
            engine: WithoutGPU(engine: try ONNXRuntimeEngine()),
            session: SessionOptions(instances: 1, threads: 1),
            imaging: Fixtures.imaging,
            logger: log.logger
        )
        await repository.refresh(isFirst: true)
        #expect(repository.catalogue.statuses.map(\.state) == [.ready, .ready, .failed])
        #expect(repository.catalogue.statuses[0].model?.vision.session.device == .cpu)
        #expect(
            repository.catalogue.statuses[2].failure
                == "device ‘cuda:0’ is not available: no driver; this engine has: cpu"
        )
        #expect(
            log.events.filter { $0.contains("processor") }
                == ["warning model runs on the processor, since no session can be made on the GPU auto"]
        )
    }
}
