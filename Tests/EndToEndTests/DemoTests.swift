// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

/// The model in the box: what a new user has in the first minute.
@Suite("The bundled model", .inTurn, .serving())
struct DemoTests {
    /// What Training/scenes drew into the samples: Web/samples/samples.json.
    struct Sample: Decodable {
        struct Object: Decodable {
            let label: String
            let box: [Double]
        }

        let objects: [Object]
    }

    private static let samples: [String: Sample] = {
        let file = URL(fileURLWithPath: Repository.path("Web/samples/samples.json"))
        return (try? JSONDecoder().decode([String: Sample].self, from: Data(contentsOf: file))) ?? [:]
    }()

    @Test("Without an argument the bundled model is served")
    func list() async throws {
        let models = try await RunningServer.shared.get("/v1/models").json(ModelList.self).models
        #expect(models.map(\.name) == ["demo"])
        #expect(Self.samples.keys.sorted() == ["birds.jpg", "jellyfish.jpg", "reef.jpg", "sharks.jpg"])
    }

    @Test(
        "It finds the animals that were drawn",
        arguments: ["birds.jpg", "jellyfish.jpg", "reef.jpg", "sharks.jpg"]
    )
    func recall(name: String) async throws {
        let server = try RunningServer.shared
        let sample = try #require(Self.samples[name])
        #expect(sample.objects.count >= 5)
        let bytes = ByteBuffer(
            bytes: try Data(contentsOf: URL(fileURLWithPath: Repository.path("Web/samples/\(name)")))
        )
        // The page gets the very same file.
        let served = try await server.get("/web/samples/\(name)")
        #expect(served.headers["content-type"] == "image/jpeg")
        #expect(served.body == bytes)

        let prediction = try await server.predict(bytes, model: "demo").json(Prediction.self)
        var unclaimed = prediction.detections
        let found = sample.objects.filter { object in
            let best = unclaimed.indices.filter { unclaimed[$0].label == object.label }
                .max { overlap(unclaimed[$0].box, object.box) < overlap(unclaimed[$1].box, object.box) }
            guard let best, overlap(unclaimed[best].box, object.box) >= 0.5 else { return false }
            unclaimed.remove(at: best)
            return true
        }
        let recall = Double(found.count) / Double(sample.objects.count)
        #expect(recall >= 0.8, "\(found.count) of \(sample.objects.count) objects")
        #expect(unclaimed.count <= sample.objects.count / 2, "\(unclaimed.map(\.label)) are not there")
    }

    @Test("An installed program carries it: nothing of the source tree is needed")
    func installed() async throws {
        try await TemporaryFolder.with { folder in
            let program = folder.appendingPathComponent("nereid")
            try FileManager.default.copyItem(atPath: ChildProcess.nereid, toPath: program.path)
            var setup = RunningServer.Setup(models: [])
            setup.program = program.path
            setup.workingFolder = folder
            let library = ProcessInfo.processInfo.environment["NEREID_ONNXRUNTIME"]
            setup.environment = ["NEREID_ONNXRUNTIME": library ?? Repository.path(".native/onnxruntime/lib")]
            try await RunningServer.with(setup) { server in
                let page = try await server.get("/")
                #expect(page.status == 200)
                let reef = try await server.get("/web/samples/reef.jpg").body
                let answer = try await server.predict(reef, model: "demo")
                #expect(try answer.json(Prediction.self).detections.isEmpty == false)
            }
        }
    }

    @Test("It can be named on the command line, and given another name")
    func named() async throws {
        let ended = try await ChildProcess.run(arguments: ["inspect", "aquarium=demo"])
        #expect(ended.status == 0)
        #expect(ended.output.contains("7: fish, jellyfish, penguin, puffin, shark, starfish, stingray"))
    }

    @Test(
        "The samples can be drawn again: the generator gives the same pixels and boxes",
        .enabled(if: Repository.hasPython, Repository.pythonIsMissing)
    )
    func generator() async throws {
        let ended = try await ChildProcess.run(
            Repository.python,
            arguments: ["-m", "scenes", Repository.path("Web/samples"), "--check"],
            environment: ["PYTHONPATH": Repository.path("Training"), "PYTHONDONTWRITEBYTECODE": "1"]
        )
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        #expect(ended.output.split(separator: "\n").count == 4)
    }

    @Test(
        "On the page, one click on a sample shows what is in it",
        .enabled(if: Repository.hasPython, Repository.pythonIsMissing),
        .enabled(if: Repository.hasBrowser, "Chromium and its driver are not there; run scripts/setup --tests")
    )
    func page() async throws {
        let ended = try await ChildProcess.run(
            Repository.python,
            arguments: [Repository.path("Tests/EndToEnd/samples_test.py"), RunningServer.shared.url],
            within: .seconds(120)
        )
        #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
    }

    /// Intersection over union of two boxes.
    private func overlap(_ a: [Double], _ b: [Double]) -> Double {
        let width = min(a[2], b[2]) - max(a[0], b[0])
        let height = min(a[3], b[3]) - max(a[1], b[1])
        guard width > 0, height > 0 else { return 0 }
        let shared = width * height
        return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
    }
}
