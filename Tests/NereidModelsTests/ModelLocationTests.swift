// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidInference
import TestSupport
import Testing

@testable import NereidModels

@Suite("Model location")
struct ModelLocationTests {
    @Test("is a path, or a name and a path")
    func parsing() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(to: "reef.onnx")
        #expect(try ModelLocation(argument: path) == ModelLocation(path: path))
        #expect(try ModelLocation(argument: "benthic=\(path)") == ModelLocation(name: "benthic", path: path))
        #expect(try ModelLocation(argument: "sea floor=\(path)").name == "sea floor")
        #expect(try ModelLocation(argument: folder.path) == ModelLocation(path: folder.path))
    }

    @Test("is a path where there is a file of that name, even with an equals sign in it")
    func equals() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(to: "epoch=99.onnx")
        #expect(try ModelLocation(argument: path) == ModelLocation(path: path))
        #expect(try ModelLocation(argument: "best=\(path)") == ModelLocation(name: "best", path: path))
    }

    @Test("may name a configuration with its weights")
    func pair() throws {
        let folder = try TemporaryFolder()
        let weights = try folder.write(to: "model+best.pth")
        let configuration = try folder.write("MODEL: {}", to: "a+b.yaml")
        let expected = ModelLocation(path: weights, configurationPath: configuration)
        #expect(try ModelLocation(argument: "\(configuration)+\(weights)") == expected)
        let named = ModelLocation(name: "reef", path: weights, configurationPath: configuration)
        #expect(try ModelLocation(argument: "reef=\(configuration)+\(weights)") == named)
        #expect(throws: ModelsError.self) { try ModelLocation(argument: "\(configuration)+\(folder.path("gone.pth"))") }
        #expect(throws: ModelsError.self) { try ModelLocation(argument: "\(weights)+\(weights)") }
        let found = try ModelLocation.onlyModel(at: named)
        #expect(found.isDetectron2)
        #expect(found.configurationPaths == [configuration])
    }

    @Test("is the bundled model where it is called demo, and no file is")
    func bundled() async throws {
        #expect(try ModelLocation(argument: "demo") == .bundled)
        #expect(try ModelLocation(argument: "aquarium=demo").path == nil)
        #expect(try ModelLocation.onlyModel(at: ModelLocation(argument: "aquarium=demo")).name == "aquarium")
        let found = try ModelLocation.onlyModel(at: .bundled)
        #expect(found.name == "demo")
        guard case .bytes(let graph) = try await found.graphs(from: Fixtures.checkpoints).network.content else {
            Issue.record("the bundled model is a file")
            return
        }
        // The whole file, not a part: a change of the model must reach the program.
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Models/demo/demo.onnx")
        #expect(try Data(contentsOf: url) == Data(graph))
        #expect(graph.count <= 5_000_000)
        #expect(try #require(found.settings().vision.defaults.confidence) < 1)
    }

    @Test("must lead somewhere", arguments: ["/nowhere/reef.onnx", "benthic=/nowhere/reef.onnx", ""])
    func missing(argument: String) {
        let path = argument.replacing("benthic=", with: "")
        #expect(throws: ModelsError.noSuchPath(path)) { try ModelLocation(argument: argument) }
    }

    @Test(
        "must have a name that fits into a path of the API",
        arguments: [
            "", "a/b", "tab\tin it", "line\nbreak", "\u{7}", "\u{2028}", "\u{202E}a",
            String(repeating: "x", count: 129),
        ]
    )
    func names(name: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(to: "reef.onnx")
        #expect(throws: ModelsError.badName(name)) { try ModelLocation(argument: "\(name)=\(path)") }
        #expect(try ModelLocation(argument: "\(String(repeating: "x", count: 128))=\(path)").name?.count == 128)
        #expect(try ModelLocation(argument: "Seeigel ❄ v2.1=\(path)").name == "Seeigel ❄ v2.1")
    }

    @Test("holds one model, or says how many")
    func onlyModel() throws {
        let folder = try TemporaryFolder()
        func only() throws -> FoundModel { try ModelLocation.onlyModel(at: ModelLocation(path: folder.path)) }
        func refusal(_ reason: String) -> ModelsError { .unsupportedFile(path: folder.path, reason: reason) }
        #expect(throws: refusal("it is an empty folder; give \(ModelsError.kinds)")) { try only() }
        let path = try folder.write(to: "a.onnx")
        #expect(try only().path == path)
        try folder.write(to: "b.onnx")
        #expect(throws: refusal("it holds 2 models (a.onnx, b.onnx); give the path of one")) { try only() }
    }

    @Test(
        "says what a folder without a model holds, and what to do",
        arguments: [
            ("weights/best.pt", "there is one below it: give ‘", "/weights/best.pt’"),
            ("saved_model.pb", "it is a SavedModel of TensorFlow", "tf2onnx"),
            ("dive 1/a.jpg", "it holds pictures and no model", "nereid predict MODEL "),
            ("dive.mp4", "it holds videos and no model", "ffmpeg"),
            ("notes.txt", "none of the files in it is a model", "an .onnx file"),
        ]
    )
    func foreignFolder(file: String, found: String, advice: String) throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appendingPathComponent(file)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data("x".utf8).write(to: url)
        let error = try #require(
            #expect(throws: ModelsError.self) {
                try ModelLocation.onlyModel(at: ModelLocation(path: folder.path))
            }
        )
        #expect(error.description.contains(found) && error.description.contains(advice), "\(error)")
    }

    @Test("names files that a mistyped path may mean")
    func similar() throws {
        let folder = try TemporaryFolder()
        for name in ["benthic.pt", "benthic-2.onnx", "other.onnx", "notes.txt"] { try folder.write(to: name) }
        func similar(_ name: String) -> [String] {
            do {
                _ = try ModelLocation(argument: folder.path(name))
            } catch {
                if case .noSuchPath(_, let similar) = error { return similar }
            }
            Issue.record("\(name) is there")
            return []
        }
        #expect(similar("benthci.pt") == [folder.path("benthic.pt")])
        #expect(similar("benthic.onnx") == [folder.path("benthic-2.onnx"), folder.path("benthic.pt")])
        #expect(similar("squid.onnx") == [])
        let words = ModelsError.noSuchPath("x", similar: ["y.pt"]).description
        for kind in ["did you mean y.pt?", ".onnx", ".pt", ".pth", ".pkl", "config.yaml", "folder", "demo"] {
            #expect(words.contains(kind))
        }
    }
}
