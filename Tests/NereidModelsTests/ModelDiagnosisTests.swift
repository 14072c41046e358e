// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidModels

/// What the real engine's refusals become.
@Suite("Diagnosis of model files")
struct ModelDiagnosisTests {
    private static let pointer = Array("version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n".utf8)

    /// The error of loading a file with these bytes.
    private func failure(
        _ contents: [UInt8],
        called name: String = "reef.onnx",
        beside others: [String: [UInt8]] = [:]
    ) async throws -> String {
        let folder = try TemporaryFolder()
        let file = folder.url.appendingPathComponent("models/\(name)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(),
            withIntermediateDirectories: true
        )
        try Data(contents).write(to: file)
        for (name, bytes) in others {
            try Data(bytes).write(to: file.deletingLastPathComponent().appendingPathComponent(name))
        }
        let found = try ModelLocation.onlyModel(at: ModelLocation(path: file.path))
        do {
            _ = try await Fixtures.load(found)
        } catch {
            let words = "\(error)"
            #expect(words.contains(file.path), "names the file: \(words)")
            #expect(!words.contains("whole, valid ONNX file"), "\(words)")
            return words
        }
        Issue.record("it was loaded")
        return ""
    }

    @Test(
        "a file that is no ONNX file is named",
        arguments: [
            ([], ["an empty file", "fetch it again"]),
            (pointer, ["a Git LFS pointer", "git lfs pull"]),
            (Array("<!DOCTYPE html><html><body>404</body></html>".utf8), ["a web page", "fetch the file itself"]),
            (Array("<?xml version=\"1.0\"?>\n<net name=\"m\">".utf8), ["OpenVINO"]),
            (Array("%PDF-1.7\n".utf8), ["a PDF document", "give a model"]),
            (Array("ftrt\0\0\0\0".utf8), ["a TensorRT engine", "made from"]),
            ([0x02, 0, 0, 0] + Array("{}ptrt\0\0".utf8), ["a TensorRT engine"]),
            ([28, 0, 0, 0] + Array("TFL3".utf8), ["a TensorFlow Lite model", "ONNX export"]),
            (Array("\u{14}\0\0\0ORTM".utf8), ["format ORT"]),
            (Array("\u{2}\0\0\0\0\0\0\0{}".utf8), ["a safetensors file"]),
            ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A], ["an HDF5 file, as Keras writes"]),
            (
                [0x08, 0x01] + GraphMessage.bytes(2, GraphMessage.text(1, "Placeholder and Const")),
                ["a SavedModel of TensorFlow", "tf2onnx"]
            ),
            ([0x08, 0x04] + GraphMessage.bytes(2, GraphMessage.text(1, "image")), ["a Core ML model"]),
            (
                GraphMessage.bytes(1, GraphMessage.text(1, "images") + GraphMessage.text(2, "Placeholder")),
                ["a frozen graph of TensorFlow"]
            ),
            ([0x1F, 0x8B, 8, 0, 0], ["a gzip archive", "unpack it"]),
            ([0xFF, 0xD8, 0xFF, 0xE0], ["a picture (JPEG)", "nereid predict MODEL"]),
            (Array("\0\0\0\u{18}ftypisom".utf8), ["a video (MP4", "ffmpeg"]),
            ([UInt8](repeating: 0, count: 1000), ["a file of zeros"]),
        ] as [([UInt8], [String])]
    )
    func foreign(contents: [UInt8], words: [String]) async throws {
        let failure = try await failure(contents)
        for word in words { #expect(failure.contains(word), "\(failure)") }
    }

    @Test("a checkpoint under the name of a graph is named, and the other way round")
    func misnamed() async throws {
        let tests = URL(fileURLWithPath: Fixtures.path("blocks-v8")).deletingLastPathComponent()
        let checkpoint = try Data(contentsOf: tests.appendingPathComponent("blocks.pt"))
        let words = try await failure(Array(checkpoint))
        #expect(words.contains("but a PyTorch checkpoint; name it .pt"))
        let graph = try await failure(GraphMessage.model(), called: "reef.pt")
        #expect(graph.contains("an ONNX graph; name it .onnx"))
    }

    @Test("weights of Detectron2 that are something else are named before their configuration is asked for")
    func foreignWeights() async throws {
        #expect(try await failure(Self.pointer, called: "reef.pth").contains("a Git LFS pointer"))
    }

    @Test("a graph that was cut short says so", arguments: [0.3, 0.9])
    func cutShort(part: Double) async throws {
        let whole = GraphMessage.model()
        let failure = try await failure(Array(whole.prefix(Int(Double(whole.count) * part))))
        #expect(failure.contains("it is cut short"), "\(failure)")
    }

    @Test("weights beside the graph that are missing, elsewhere or cut short are named")
    func weights() async throws {
        func words(_ location: String, beside others: [String: [UInt8]] = [:]) async throws -> String {
            try await failure(GraphMessage.model(weights: (location, 16)), beside: others)
        }
        let missing = try await words("reef.onnx.data")
        #expect(missing.contains("reef.onnx.data is missing; put it into ‘"), "\(missing)")
        for outside in ["../reef.data", "/etc/hostname", "a/../../reef.data"] {
            #expect(try await words(outside).contains("outside of its own folder"))
        }
        let short = try await words("reef.data", beside: ["reef.data": [UInt8](repeating: 0, count: 60)])
        #expect(short.contains("reef.data can't be used: it has 60 bytes, and 64 are needed"), "\(short)")
        let pointer = try await words("reef.data", beside: ["reef.data": Array(Self.pointer.prefix(60))])
        #expect(pointer.contains("a Git LFS pointer") && pointer.contains("git lfs pull"), "\(pointer)")
    }

    @Test(
        "an operator that the engine does not have is named, and whose it is",
        arguments: [
            ("EfficientNMS_TRT", "TRT", ["the operator EfficientNMS_TRT of the domain TRT", "a plugin of TensorRT"]),
            ("EfficientNMS_TRT", "", ["the operator EfficientNMS_TRT", "a plugin of TensorRT"]),
            ("TRTBatchedNMS", "mmdeploy", ["TRTBatchedNMS of the domain mmdeploy", "a plugin of TensorRT"]),
            ("MMCVRoiAlign", "mmcv", ["MMCVRoiAlign of the domain mmcv", "of MMDeploy"]),
            ("Splash", "reef.ops", ["the operator Splash of the domain reef.ops", "does not have"]),
            ("Splash", "", ["the operator Splash", "version 17 of ONNX's operators"]),
        ] as [(String, String, [String])]
    )
    func unknownOperator(name: String, domain: String, words: [String]) async throws {
        for domains in domain.isEmpty ? [[]] : [[domain], []] {
            let graph = GraphMessage.model(operation: name, domain: domain, domains: domains)
            let failure = try await failure(graph)
            for word in words { #expect(failure.contains(word), "\(failure)") }
        }
    }

    @Test("versions that are newer than the engine are named")
    func versions() async throws {
        #expect(try await failure(GraphMessage.model(opset: 99)).contains("opset 99, which is newer"))
        #expect(try await failure(GraphMessage.model(version: 60)).contains("its format is version 60"))
    }

    @Test("weights that appear beside a graph are a change of the model")
    func weightsAppear() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(to: "reef.onnx")
        let before = ModelScan([ModelLocation(path: path)]).models
        try folder.write(to: "reef.onnx.data")
        let after = ModelScan([ModelLocation(path: path)]).models
        #expect(before.count == 1 && after.count == 1 && before != after)
    }

    @Test(
        "the cases of the shared folder say what they are",
        .enabled(if: SharedFolder.isThere, SharedFolder.absence),
        arguments: [
            ("lfs", "Git LFS"), ("html", "web page"), ("trt-plugin", "TensorRT"),
            ("external-missing", "ext.onnx.data is missing"),
        ]
    )
    func shared(name: String, words: String) async throws {
        let path = try SharedFolder.path("cases/not-an-onnx-file/\(name).onnx")
        guard FileManager.default.fileExists(atPath: path) else { return }
        let found = try ModelLocation.onlyModel(at: ModelLocation(path: path))
        let error = await #expect(throws: ModelsError.self) { try await Fixtures.load(found) }
        #expect(error.map { "\($0)".contains(words) } == true)
    }
}
