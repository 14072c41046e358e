// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@Suite("Readiness, devices and names, as an operator meets them", .inTurn)
struct ReadinessTests {
    /// A folder with fixtures under names.
    private func withModels(_ models: [String: String], _ body: (URL) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            for (name, fixture) in models {
                try FileManager.default.copyItem(
                    atPath: Repository.fixture(fixture),
                    toPath: folder.appendingPathComponent("\(name).onnx").path
                )
            }
            try await body(folder)
        }
    }

    private func health(_ server: RunningServer) async throws -> Readiness {
        try await eventually("the models to be tried") {
            let health = try await server.get("/health/ready").json(Readiness.self)
            return health.missing == ["models are being loaded"] ? nil : health
        }
    }

    @Test("nereid health calls a degraded server well, and one without a required model not")
    func command() async throws {
        try await withModels(["good": "blocks-v8", "bad": "broken"]) { folder in
            for (flags, status, words) in [
                ([], Int32(0), "\"status\":\"degraded\""), (["--require", "good"], 0, "\"status\":\"degraded\""),
                (["--require", "good", "--require", "bad"], 1, "model ‘bad’ can't be served"),
                (["--require", "cod"], 1, "model ‘cod’ is missing"),
            ] {
                let setup = RunningServer.Setup(models: [folder.path], flags: flags, awaitsReadiness: false)
                try await RunningServer.with(setup) { server in
                    _ = try await health(server)
                    let asked = try await ChildProcess.run(arguments: ["health", server.url])
                    #expect(asked.status == status, "\(asked.output)")
                    #expect(asked.output.contains(words), "\(asked.output)")
                    try await server.expectCorrectAnswer(model: "good")
                }
            }
        }
    }

    @Test("A broken file that was named makes the server unready, also when it is named in the environment")
    func named() async throws {
        let setup = RunningServer.Setup(models: ["blocks-v8", "broken"], awaitsReadiness: false)
        try await RunningServer.with(setup) { server in
            let health = try await health(server)
            #expect(health.status == "not ready")
            #expect(health.missing?.count == 1)
            #expect(health.missing?.first?.hasPrefix("model ‘broken’ can't be served: ") == true)
            try await server.expectCorrectAnswer()
        }
    }

    @Test("--check says which models are required, and whether they are there")
    func check() async throws {
        try await withModels(["good": "blocks-v8"]) { folder in
            let ended = try await ChildProcess.run(
                arguments: ["serve", folder.path, "--check", "--require", "good", "--require", "cod"]
            )
            #expect(ended.status == 0)
            let lines = ended.output.split(separator: "\n")
            #expect(lines.contains("required: good") && lines.contains("required: cod (not there yet)"))
            let gateway = try await ChildProcess.run(
                arguments: ["serve", "--no-workers", "--queue", "redis://localhost", "--check"],
                environment: ["NEREID_REQUIRE": "cod, reef"]
            )
            #expect(gateway.output.contains("required: cod (of a worker of the queue)\nrequired: reef (of"))
        }
    }

    @Test(
        "A device that is named and not there ends every command with what is there",
        arguments: [["serve"], ["worker", "--queue", "redis://localhost:1"], ["predict"], ["inspect"]]
    )
    func device(command: [String]) async throws {
        let picture = command == ["predict"] ? [Repository.path("Web/samples/reef.jpg")] : []
        // No machine has so many.
        let ended = try await ChildProcess.run(
            arguments: [command[0], Repository.fixture("blocks-v8")] + picture + command.dropFirst()
                + ["--device", "cuda:99"] + (["serve", "worker"].contains(command[0]) ? ["--port", "0"] : [])
        )
        #expect(ended.status == 1)
        #expect(ended.errors.contains("device ‘cuda:99’ is not available: "), "\(ended.errors)")
        #expect(ended.errors.contains("this engine has: cpu"), "\(ended.errors)")
    }

    @Test("A model whose settings name a device that is not there is failed with that reason, and others are served")
    func deviceOfModel() async throws {
        try await withModels(["good": "blocks-v8", "far": "blocks-v8"]) { folder in
            try "device: cuda:99\n".write(
                to: folder.appendingPathComponent("far.yaml"),
                atomically: true,
                encoding: .utf8
            )
            try await RunningServer.with(.init(models: [folder.path])) { server in
                #expect(try await health(server).broken?.map(\.model) == ["far"])
                let reason = try await server.model("far")?.reason
                #expect(reason?.hasPrefix("device ‘cuda:99’ is not available: ") == true)
                try await server.expectCorrectAnswer(model: "good")
            }
        }
    }

    @Test("Names that would act on a terminal are refused, and shown with escapes everywhere")
    func names() async throws {
        let name = "a\nlevel=error msg=forged\u{1B}[31m\u{202E}"
        let shown = "a\\nlevel=error msg=forged\\u{1b}[31m\\u{202e}"
        try await withModels(["good": "blocks-v8", name: "blocks-v8"]) { folder in
            try await RunningServer.with(.init(models: [folder.path])) { server in
                let health = try await health(server)
                #expect(health.broken?.map(\.model) == [shown])
                #expect(try await server.model(shown)?.state == "failed")
                #expect(try await server.model(shown)?.reason?.contains("characters that can't be shown") == true)
                let log = server.process.errors
                #expect(log.split(separator: "\n").allSatisfy { $0.hasPrefix("time=") })
                #expect(!log.contains("\u{1B}") && !log.contains("\u{202E}"))
            }
            let path = folder.appendingPathComponent("\(name).onnx").path
            for arguments in [["inspect", path], ["inspect", path + "x"], ["predict", path, path]] {
                let ended = try await ChildProcess.run(arguments: arguments)
                #expect(ended.status != 0)
                // A path that leads nowhere is read as NAME=PATH: the rest is no part of the name.
                #expect(ended.errors.contains("a\\nlevel"), "\(ended.errors)")
                #expect(!ended.errors.contains("\u{1B}") && !ended.errors.contains("\u{202E}"))
            }
        }
    }

    @Test(
        "The page says which models can't be served, and why",
        .enabled(if: Repository.hasPython, Repository.pythonIsMissing),
        .enabled(if: Repository.hasBrowser, "Chromium and its driver are not there; run scripts/setup --tests")
    )
    func page() async throws {
        try await withModels(["good": "blocks-v8", "bad": "broken"]) { folder in
            try await RunningServer.with(.init(models: [folder.path])) { server in
                let ended = try await ChildProcess.run(
                    Repository.python,
                    arguments: [Repository.path("Tests/EndToEnd/problems_test.py"), server.url, "good", "bad"],
                    within: .seconds(120)
                )
                #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
            }
        }
    }

    @Test("A client's id and trace stand in the answer and in one line of the log, which is logfmt")
    func log() async throws {
        try await RunningServer.with(.init(models: ["blocks-v8"])) { server in
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let answer = try await server.send(
                "GET",
                "/v1/models",
                headers: ["X-Request-ID": "dive-7", "traceparent": trace]
            )
            #expect(answer.headers["x-request-id"] == "dive-7")
            #expect(answer.headers["traceparent"] == trace)
            let line = try await eventually("the line") {
                server.process.errors.split(separator: "\n").first { $0.contains("hb.request.id=dive-7") }
            }
            #expect(line.hasPrefix("time=20") && line.contains("Z level=info source=NereidServer msg=request "))
            #expect(line.contains(" method=GET path=/v1/models status=200 "))
            #expect(line.contains(" trace_id=0af7651916cd43dd8448eb211c80319c "))
            #expect(server.process.errors.contains(" msg=\"model loaded\" "))
        }
    }
}
