// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import Testing

/// Checkpoints as a training framework saved them; Tests/Fixtures/make_checkpoint.py says what is in blocks.pt.
@Suite("Checkpoints", .inTurn, .serialized)
struct CheckpointTests {
    private static let checkpoint = Repository.path("Tests/Fixtures/blocks.pt")
    private static let blocks = [
        Block(column: 4, row: 3, colour: .red), Block(column: 12, row: 9, colour: .green),
        Block(column: 22, row: 5, colour: .blue),
    ]

    private func expectBlocks(_ detections: [Detection]) {
        #expect(Set(detections.map(\.label)) == ["red", "green", "blue"])
        for detection in detections {
            let block = Self.blocks.first { "\($0.colour)" == detection.label }
            let expected = block.map { [$0.column, $0.row, $0.column + 1, $0.row + 1].map { Double($0 * 16) } }
            #expect(detection.box == expected)
            #expect(abs(detection.score - 0.99995) < 1e-4)
        }
    }

    @Test("A checkpoint is served as it is, and kept for the next start; what was damaged is made anew")
    func serving() async throws {
        try await TemporaryFolder.with { folder in
            let cache = folder.appendingPathComponent("cache")
            let setup = RunningServer.Setup(models: [Self.checkpoint], environment: ["NEREID_CACHE": cache.path])
            func serve() async throws -> Int {
                try await RunningServer.with(setup) { server in
                    let picture = try Picture.grey(with: Self.blocks, rows: 20).encoded(as: .png)
                    expectBlocks(try await server.predict(picture, model: "blocks").json(Prediction.self).detections)
                    return server.process.errors.components(separatedBy: "checkpoint converted").count - 1
                }
            }
            #expect(try await serve() == 1, "the first start makes the graph")
            #expect(try await serve() == 0, "the second start has it")
            let graph = try #require(
                FileManager.default.contentsOfDirectory(atPath: cache.path).first { $0.hasSuffix(".onnx") }
            )
            try Data("nonsense".utf8).write(to: cache.appendingPathComponent(graph))
            #expect(try await serve() == 1, "a damaged graph is not trusted")
        }
    }

    @Test("A checkpoint that is dropped into a watched folder is loaded; one that is none is reported")
    func watching() async throws {
        try await TemporaryFolder.with { folder in
            try await RunningServer.with(.init(models: [folder.path], awaitsReadiness: false)) { server in
                try FileManager.default.copyItem(atPath: Self.checkpoint, toPath: folder.path + "/reef.pt")
                try await eventually("the checkpoint to be served") {
                    try await server.model("reef")?.state == "ready" ? true : nil
                }
                let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4062133\n"
                try Data(pointer.utf8).write(to: folder.appendingPathComponent("pointer.pt"))
                let reason = try await eventually("the pointer to be refused") {
                    try await server.model("pointer")?.reason
                }
                #expect(reason.contains("Git LFS"), "\(reason)")
                #expect(try await server.model("reef")?.state == "ready")
            }
        }
    }

    @Test(
        "An exported file is valid ONNX and answers as the checkpoint does",
        .enabled(if: Repository.hasPython, Repository.pythonIsMissing)
    )
    func export() async throws {
        try await TemporaryFolder.with { folder in
            let picture = folder.appendingPathComponent("blocks.png")
            try Picture.grey(with: Self.blocks, rows: 20).encoded(as: .png).write(to: picture)
            for flags in [[], ["--maps"], ["--half"]] {
                let file = folder.appendingPathComponent("out\(flags.joined()).onnx").path
                let ended = try await ChildProcess.run(arguments: ["export", Self.checkpoint, "-o", file] + flags)
                #expect(ended.status == 0, "\(ended.errors)")
                #expect(ended.output.contains("detect, 3 classes, yolov5"))
                let check = "import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)"
                let checked = try await ChildProcess.run(Repository.python, arguments: ["-c", check, file])
                #expect(checked.status == 0, "\(checked.errors)")
                let predicted = try await ChildProcess.run(arguments: ["predict", file, picture.path])
                let results = try JSONDecoder().decode([Predictions.Result].self, from: Data(predicted.output.utf8))
                expectBlocks(try #require(results.first?.detections))
            }
        }
    }

    @Test("inspect shows what a checkpoint holds; export says why it can't, and leaves no file")
    func inspecting() async throws {
        try await TemporaryFolder.with { folder in
            let shown = try await ChildProcess.run(arguments: ["inspect", Self.checkpoint])
            #expect(shown.status == 0)
            #expect(shown.output.contains("3: red, green, blue"))
            #expect(shown.output.contains("nereid.framework = yolov5"))
            let broken = folder.appendingPathComponent("broken.pt")
            try Data(contentsOf: URL(fileURLWithPath: Self.checkpoint)).prefix(3000).write(to: broken)
            let refused = try await ChildProcess.run(arguments: ["export", broken.path])
            #expect(refused.status != 0)
            #expect(refused.errors.contains("broken.pt"), "\(refused.errors)")
            #expect(refused.errors.split(separator: "\n").count <= 2)
            #expect(FileManager.default.fileExists(atPath: folder.path + "/broken.onnx") == false)
        }
    }

    /// Checkpoints of families that are not converted: they are refused by the class that is unknown.
    private static let unconverted: Set = ["rtdetr-l"]

    @Test(
        "Every checkpoint at hand of a family that is converted is exported as valid ONNX",
        .enabled(if: SharedFolder.isThere, SharedFolder.isMissing),
        .enabled(if: Repository.hasPython, Repository.pythonIsMissing)
    )
    func exportEverything() async throws {
        let folders = ["reference/yolov5", "reference/ultralytics", "models"]
        let all = folders.flatMap { SharedFolder.files(in: $0) }.filter { $0.pathExtension == "pt" }
        func isConverted(_ file: URL) -> Bool {
            !Self.unconverted.contains(file.deletingPathExtension().lastPathComponent)
        }
        for file in all where !isConverted(file) {
            let refused = try await ChildProcess.run(arguments: ["export", file.path, "-o", "/dev/null"])
            #expect(refused.status == 1 && refused.errors.contains("which Nereid can't convert"), "\(refused.errors)")
        }
        let files = all.filter(isConverted)
        #expect(files.count >= 24)
        try await TemporaryFolder.with { folder in
            for file in files {
                let output = folder.appendingPathComponent(file.deletingPathExtension().lastPathComponent + ".onnx")
                let ended = try await ChildProcess.run(arguments: ["export", file.path, "-o", output.path])
                #expect(ended.status == 0, "\(file.lastPathComponent): \(ended.errors)")
            }
            let check = """
                import onnx, pathlib, sys
                for file in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
                    onnx.checker.check_model(onnx.load(file), full_check=True)
                    print(file.name)
                """
            let checked = try await ChildProcess.run(
                Repository.python,
                arguments: ["-c", check, folder.path],
                within: .seconds(180)
            )
            #expect(checked.status == 0, "\(checked.errors)")
            let names = Set(files.map { $0.deletingPathExtension().lastPathComponent })
            #expect(checked.output.split(separator: "\n").count == names.count)
        }
    }

    @Test(
        "Detectron2's weights are served with their configuration, beside them or named",
        .enabled(if: SharedFolder.isThere, SharedFolder.isMissing)
    )
    func detectron2() async throws {
        let shared = try #require(SharedFolder.url)
        let folder = shared.appendingPathComponent("reference/detectron2").path
        let models = [
            "mask=\(folder)/mask_rcnn_tiny_config.yaml+\(folder)/mask_rcnn_tiny_model_final.pth",
            "boxes=\(folder)/faster_rcnn_tiny_config.yaml+\(folder)/faster_rcnn_tiny_model_final.pth",
            "retina=\(folder)/retinanet_tiny_seed_style.yaml+\(folder)/retinanet_tiny_model_final.pth",
        ]
        try await RunningServer.with(.init(models: models)) { server in
            let photo = shared.appendingPathComponent("images/photos/bus.jpg")
            let picture = ByteBuffer(bytes: try Data(contentsOf: photo))
            for name in ["mask", "boxes", "retina"] {
                let answer = try await server.predict(picture, model: name, query: "?confidence=0.1")
                let prediction = try answer.json(Prediction.self)
                #expect(prediction.image == .init(width: 810, height: 1080))
                #expect(prediction.detections.allSatisfy { $0.box[2] <= 810 && $0.box[3] <= 1080 && $0.score > 0.1 })
                #expect(answer.text.contains("\"counts\"") == (name == "mask" && !prediction.detections.isEmpty))
            }
        }
    }

    @Test(
        "Hostile checkpoints are refused in words, run nothing, and harm nobody",
        .enabled(if: SharedFolder.isThere, SharedFolder.isMissing)
    )
    func hostile() async throws {
        let files = SharedFolder.files(in: "reference/hostile").filter { $0.pathExtension == "pt" }
        #expect(files.count > 50)
        // A name that tells good from bad, as the list beside the files has it.
        let mayLoad: Set = [
            "base_valid", "zip_deflated_ok", "memo_huge_index", "op_bad_utf8", "names_nasty", "anchors_inf",
            "zip_bomb_storage", "frame_huge",
        ]
        try await TemporaryFolder.with { folder in
            for file in files {
                let name = file.deletingPathExtension().lastPathComponent
                let output = folder.appendingPathComponent("\(name).onnx").path
                // No file may make the reader ask for more: this much is the program itself and a modest heap.
                let ended = try await ChildProcess.run(
                    "/bin/sh",
                    arguments: [
                        "-c", "ulimit -v 1000000; exec \"$0\" export \"$1\" -o \"$2\"", ChildProcess.nereid, file.path,
                        output,
                    ],
                    within: .seconds(20)
                )
                #expect(ended.status < 128, "\(name) ended by a signal: \(ended.errors)")
                if name == "base_valid" { #expect(ended.status == 0) }
                if !mayLoad.contains(name) && !name.hasPrefix("exec_") {
                    #expect(ended.status != 0, "\(name) was exported")
                    #expect(ended.errors.count > 20, "\(name): \(ended.errors)")
                }
            }
        }
        let traces = try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { $0.hasPrefix("PWNED") }
        #expect(traces == [])
    }
}
