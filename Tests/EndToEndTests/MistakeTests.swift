// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// What the command says to a person who mistyped something, or gave the wrong file.
@Suite("Mistakes on the command line", .inTurn)
struct MistakeTests {
    private static let model = Repository.fixture("blocks-v8")

    private func words(_ arguments: String...) async throws -> (status: Int32, errors: String) {
        let ended = try await ChildProcess.run(arguments: arguments)
        #expect(ended.output.isEmpty, "\(ended.output)")
        return (ended.status, ended.errors)
    }

    @Test(
        "a mistyped option is answered with the one that is meant",
        arguments: [
            (["predict", model, "a.png", "--conf", "0.5"], "Unknown option '--conf'. Did you mean '--confidence'?"),
            (["predict", model, "a.png", "--confidnce", "1"], "Did you mean '--confidence'?"),
            (["predict", model, "a.png", "--conf-thres", "1"], "Did you mean '--confidence'?"),
            (["predict", model, "a.png", "--iou-thres", "1"], "Did you mean '--iou'?"),
            (["predict", model, "a.png", "--top", "1"], "Did you mean '--top-k'?"),
            (["serve", "--por", "1"], "Did you mean '--port'?"),
            (["serve", "--max-pic", "1"], "'--max-picture-"),
            (["predict", model, "a.png", "--host", "1"], "which is an option of 'nereid serve' or 'nereid worker'"),
            (["queue", "dead", "reef", "--limt", "1"], "Did you mean '--limit'?"),
            (["bench", model, "a.png", "--dura", "1"], "Did you mean '--duration'?"),
            (["health", "--liv"], "Did you mean '--live'?"),
            (["export", "a.pt", "--ouput", "b"], "Did you mean '--output'?"),
        ] as [([String], String)]
    )
    func options(arguments: [String], expected: String) async throws {
        let ended = try await ChildProcess.run(arguments: arguments)
        #expect(ended.status == 64)
        #expect(ended.errors.hasPrefix("Error: Unknown option '--"))
        #expect(ended.errors.contains(expected), "\(ended.errors)")
        #expect(ended.errors.contains("--help"))
    }

    @Test("a mistyped command is answered with the one that is meant")
    func commands() async throws {
        let samples: [([String], String)] = [
            (["predcit", "a.onnx", "b.png"], "Unknown command 'predcit'. Did you mean 'predict'?"),
            (["srve"], "Did you mean 'serve'?"), (["insp", Self.model], "Did you mean 'inspect'?"),
            (["predcit", "--confidence", "1"], "Did you mean 'predict'?"),
            (["queue", "statsu"], "Unknown command 'statsu'. Did you mean 'status'?"),
            (["whale"], "Commands: serve, worker, queue, predict, export, inspect, bench, health"),
            ([Self.model], "To serve it: nereid serve \(Self.model)"),
        ]
        for (arguments, expected) in samples {
            let ended = try await ChildProcess.run(arguments: arguments)
            #expect(ended.status == 64)
            #expect(ended.errors.hasPrefix("Error: "))
            #expect(ended.errors.contains(expected), "\(ended.errors)")
        }
    }

    @Test("help, version and other mistakes are as they were")
    func others() async throws {
        let version = try await ChildProcess.run(arguments: ["--version"])
        #expect(version.status == 0 && !version.output.isEmpty && version.errors.isEmpty)
        let help = try await ChildProcess.run(arguments: ["help", "predict"])
        #expect(help.status == 0 && help.output.contains("--confidence"))
        let missing = try await ChildProcess.run(arguments: ["predict"])
        #expect(missing.status == 64 && missing.errors.contains("Missing expected argument"))
    }

    @Test("a mistyped path names files with similar names, and every kind that can be given")
    func paths() async throws {
        let folder = try TestSupport.TemporaryFolder()
        try folder.put(Self.model, as: "benthic.onnx")
        for command in ["inspect", "serve"] {
            let (status, errors) = try await words(command, folder.path("bentic.onnx"))
            #expect(status == 1)
            for word in ["did you mean \(folder.path("benthic.onnx"))?", ".pt", ".pth", ".pkl", "folder", "demo"] {
                #expect(errors.contains(word), "\(errors)")
            }
        }
    }

    @Test("inspect says what a file is that is no model, and what to do")
    func inspect() async throws {
        let folder = try TestSupport.TemporaryFolder()
        let samples: [(String, [UInt8], [String])] = [
            ("report.pdf", Array("%PDF-1.7\n".utf8), ["a PDF document", "give a model"]),
            ("reef.jpg", [0xFF, 0xD8, 0xFF, 0xE0, 0, 16], ["a picture (JPEG)", "nereid predict MODEL PICTURE"]),
            ("dive.mp4", Array("\0\0\0\u{18}ftypisom\0\0\0\0".utf8), ["a video (MP4", "ffmpeg"]),
            ("model.engine", Array("ftrt\0\0\0\0".utf8), ["a TensorRT engine"]),
        ]
        for (name, bytes, expected) in samples {
            try Data(bytes).write(to: folder.url.appendingPathComponent(name))
            let (status, errors) = try await words("inspect", folder.path(name))
            #expect(status == 1)
            #expect(errors.contains("‘\(folder.path(name))’ is not an ONNX file or a checkpoint but "))
            for word in expected { #expect(errors.contains(word), "\(errors)") }
        }
        let pictures = try TestSupport.TemporaryFolder()
        try pictures.write("x", to: "a.jpg")
        let (status, errors) = try await words("inspect", pictures.path)
        #expect(status == 1 && errors.contains("it holds pictures and no model"))
    }

    @Test("an output that can't be written is told before the work")
    func outputs() async throws {
        let folder = try TestSupport.TemporaryFolder()
        try folder.write("x", to: "file")
        try FileManager.default.createDirectory(atPath: folder.path("inside"), withIntermediateDirectories: false)
        let picture = folder.path("a.png")
        try ByteBuffer.blocks(Block(number: 0)).write(to: URL(fileURLWithPath: picture))
        let checkpoint = URL(fileURLWithPath: Self.model).deletingLastPathComponent().appendingPathComponent(
            "blocks.pt"
        )
        .path
        let samples = [
            (folder.path("none/a.out"), "there is no folder ‘\(folder.path("none"))’"),
            (folder.path("inside"), "it is a folder"),
            (folder.path("file/a.out"), "‘\(folder.path("file"))’ is a file, not a folder"),
        ]
        for (output, expected) in samples {
            for arguments in [
                ["export", checkpoint, "-o", output], ["predict", Self.model, picture, "--output", output],
            ] {
                let ended = try await ChildProcess.run(arguments: arguments)
                #expect(ended.status == 1)
                #expect(ended.errors.contains("the file ‘\(output)’ can't be written: \(expected)"), "\(ended.errors)")
            }
        }
        let drawn = folder.path("file/drawn")
        let (status, errors) = try await words("predict", Self.model, picture, "--annotate", drawn)
        #expect(status == 1)
        #expect(errors.contains("the folder ‘\(drawn)’ can't be made: ‘\(folder.path("file"))’ is a file"), "\(errors)")
        let cached = try await ChildProcess.run(
            arguments: ["predict", checkpoint, picture, "--cache", folder.path("file/cache")]
        )
        #expect(cached.errors.contains("graph can't be kept") && cached.errors.contains(folder.path("file/cache")))
    }

    /// A port at which nothing listens: it was given by the system and let go.
    private func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close().get()
        return port
    }

    @Test("a connection that is refused is called so, by each command that makes one")
    func refused() async throws {
        let port = try await freePort()
        let folder = try TestSupport.TemporaryFolder()
        try ByteBuffer.blocks(Block(number: 0)).write(to: folder.url.appendingPathComponent("a.png"))
        for arguments in [
            ["health", "http://127.0.0.1:\(port)"], ["health", "127.0.0.1:\(port)"], ["health", "--port", "\(port)"],
            ["bench", "http://127.0.0.1:\(port)", folder.path],
            ["queue", "status", "--queue", "redis://127.0.0.1:\(port)/0"],
        ] {
            let ended = try await ChildProcess.run(arguments: arguments)
            let words = ended.errors + ended.output
            #expect(words.contains("refused"), "\(arguments): \(words)")
            #expect(!words.contains("SingleConnectionFailure") && !words.contains("errno"), "\(words)")
        }
    }

    @Test("health tells a server that does not answer from one that is not there, and from a name that is not known")
    func health() async throws {
        // Takes connections and says nothing.
        let silent = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(silent.localAddress?.port)
        let (status, errors) = try await words("health", "http://127.0.0.1:\(port)")
        #expect(status == 1 && errors.contains("does not answer within 3 seconds"), "\(errors)")
        try await silent.close().get()
        // RFC 1035, 2.3.4: a label has 63 characters at the most, so that nobody has to be asked for this name.
        let name = String(repeating: "a", count: 64) + ".reef"
        let unknown = try await words("health", "http://\(name):8080")
        #expect(unknown.status == 1 && unknown.errors.contains("the name ‘\(name)’ is not known"), "\(unknown)")
        try await RunningServer.with(.init(models: ["blocks-v8"])) { server in
            let plain = server.url.replacing("http://", with: "https://")
            let (status, errors) = try await words("health", plain)
            #expect(status == 1 && errors.contains("over TLS: the server there does not speak TLS"), "\(errors)")
        }
    }

    @Test("an empty folder is served, and checked, with a warning")
    func emptyFolder() async throws {
        let folder = try TestSupport.TemporaryFolder()
        let checked = try await ChildProcess.run(arguments: ["serve", folder.path, "--check"])
        #expect(checked.status == 0)
        #expect(checked.output.contains("model: \(folder.path) (warning: a folder without a model yet"))
        try await RunningServer.with(.init(models: [folder.path], awaitsReadiness: false)) { server in
            try await eventually("the warning") {
                server.process.errors.contains("there is no model in the folder \(folder.path) yet").orNil
            }
        }
    }
}
