// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidServer
import Testing

@Suite("Settings, and errors at the start", .inTurn)
struct StartTests {
    /// What cannot be started, and what the sentence about it must contain.
    struct Mistake: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let arguments: [String]
        var environment: [String: String] = [:]
        var file: String?
        let says: [String]
    }

    private static let model = Repository.fixture("blocks-v8")

    static let mistakes = [
        Mistake(
            testDescription: "a path that is not there",
            arguments: ["/no/such.onnx"],
            says: ["there is no file or folder ‘/no/such.onnx’", "Give an .onnx file, a checkpoint", "‘demo’"]
        ),
        Mistake(
            testDescription: "a name that can't be used",
            arguments: ["=\(model)"],
            says: ["‘’ can't be a model's name"]
        ),
        Mistake(
            testDescription: "a flag's value out of range",
            arguments: [model, "--port", "99999"],
            says: ["--port is ‘99999’", "a whole number from 0 to 65535"]
        ),
        Mistake(
            testDescription: "a flag's value that is none",
            arguments: [model, "--max-picture-bytes", "much"],
            says: ["--max-picture-bytes is ‘much’", "64MiB"]
        ),
        Mistake(
            testDescription: "a device that is none",
            arguments: [model, "--device", "abacus"],
            says: ["--device is ‘abacus’", "auto, cpu or cuda:N"]
        ),
        Mistake(
            testDescription: "a flag that is none",
            arguments: [model, "--prot", "8080"],
            says: ["Unknown option '--prot'", "--port"]
        ),
        Mistake(
            testDescription: "an unknown setting in the environment",
            arguments: [model],
            environment: ["NEREID_PROT": "8080"],
            says: ["‘NEREID_PROT’ in the environment is not a setting", "NEREID_PORT"]
        ),
        Mistake(
            testDescription: "a bad value in the environment",
            arguments: [model],
            environment: ["NEREID_QUEUE_JOBS": "many"],
            says: ["NEREID_QUEUE_JOBS is ‘many’"]
        ),
        Mistake(
            testDescription: "an unknown setting in the file",
            arguments: [model],
            file: "prot: 8080\n",
            says: ["‘prot’ in", "settings.yaml is not a setting", "port"]
        ),
        Mistake(
            testDescription: "a bad value in the file",
            arguments: [model],
            file: "request_timeout: soon\n",
            says: ["‘request_timeout’ in", "settings.yaml is ‘soon’", "seconds"]
        ),
        Mistake(
            testDescription: "a file that is no mapping",
            arguments: [model],
            file: "- port\n",
            says: ["settings.yaml can't be used", "mapping"]
        ),
        Mistake(
            testDescription: "a settings file that is not there",
            arguments: [model],
            environment: ["NEREID_CONFIG": "/no/such.yaml"],
            says: ["the settings file /no/such.yaml can't be used"]
        ),
        Mistake(
            testDescription: "no ONNX Runtime",
            arguments: [model],
            environment: ["NEREID_ONNXRUNTIME": "/nonexistent"],
            says: ["ONNX Runtime not found", "/nonexistent", "scripts/setup"]
        ),
    ]

    @Test("A mistake ends the start with a sentence that says what to do", arguments: mistakes)
    func mistake(_ mistake: Mistake) async throws {
        try await TemporaryFolder.with { folder in
            var arguments = ["serve"] + mistake.arguments
            if let text = mistake.file {
                let file = folder.appendingPathComponent("settings.yaml")
                try text.write(to: file, atomically: true, encoding: .utf8)
                arguments += ["--config", file.path]
            }
            // Were the mistake overlooked, the server would start: on a port that disturbs nobody.
            let environment = ["SERVER_PORT": "0"].merging(mistake.environment) { $1 }
            let ended = try await ChildProcess.run(arguments: arguments, environment: environment)
            #expect(ended.status != 0)
            #expect(ended.output.isEmpty)
            for words in mistake.says { #expect(ended.errors.contains(words)) }
            #expect(ended.errors.split(separator: "\n").count <= 4, "a sentence, not a trace")
        }
    }

    @Test("A port that is in use ends the start with a sentence that says so")
    func portInUse() async throws {
        try await RunningServer.with(.init(models: ["blocks-v8"])) { server in
            let ended = try await ChildProcess.run(arguments: ["serve", Self.model, "--port", "\(server.port)"])
            #expect(ended.status != 0)
            #expect(ended.errors.contains("\(server.port)"))
            #expect(ended.errors.contains("in use"))
            #expect(ended.errors.contains("--port"))
        }
    }

    @Test("--help names every setting, and every command")
    func help() async throws {
        let serve = try await ChildProcess.run(arguments: ["serve", "--help"])
        #expect(serve.status == 0)
        // Where models are is said by arguments.
        for setting in Setting.allCases where setting != .models && setting != .webhookSecret {
            #expect(serve.output.contains("\(setting.flag) "), "\(setting)")
        }
        // A secret is no flag, which others could read in the list of processes.
        #expect(serve.output.contains("NEREID_WEBHOOK_SECRET"))
        #expect(!serve.output.contains(Setting.webhookSecret.flag))
        let all = try await ChildProcess.run(arguments: ["--help"])
        #expect(all.status == 0)
        for command in ["serve", "predict", "inspect", "bench"] { #expect(all.output.contains("\n  \(command) ")) }
    }

    /// Where the setting is given, and which of the places counts.
    @Test(
        "A flag goes before the environment, the environment before the file",
        arguments: [
            (flag: true, environment: true, label: "red"), (flag: false, environment: true, label: "crimson"),
            (flag: false, environment: false, label: "scarlet"),
        ]
    )
    func precedence(flag: Bool, environment: Bool, label: String) async throws {
        try await TemporaryFolder.with { folder in
            for (name, settings) in [("a", ""), ("b", "rename: {red: crimson}"), ("c", "rename: {red: scarlet}")] {
                let model = folder.appendingPathComponent("\(name).onnx").path
                try FileManager.default.copyItem(atPath: Self.model, toPath: model)
                try settings.write(toFile: "\(folder.path)/\(name).yaml", atomically: true, encoding: .utf8)
            }
            let file = folder.appendingPathComponent("settings.yaml").path
            try "default_model: c\n".write(toFile: file, atomically: true, encoding: .utf8)
            let setup = RunningServer.Setup(
                models: [folder.path],
                flags: flag ? ["--default-model", "a"] : [],
                environment: ["NEREID_CONFIG": file].merging(environment ? ["NEREID_DEFAULT_MODEL": "b"] : [:]) { $1 }
            )
            try await RunningServer.with(setup) { server in
                let picture = try ByteBuffer.blocks(Block(column: 0, row: 0, colour: .red))
                let answer = try await server.post("/predict/", form: .file(picture))
                #expect(try answer.json([Concept].self).map(\.concept) == [label])
            }
        }
    }

    @Test("Models and port can come from the environment alone")
    func environmentAlone() async throws {
        let models = "blocks=\(Self.model), \(Repository.fixture("blocks-v5"))"
        let setup = RunningServer.Setup(environment: ["NEREID_MODELS": models, "SERVER_PORT": "0"])
        try await RunningServer.with(setup) { server in
            #expect(server.port != 8080)
            let names = try await server.get("/v1/models").json(ModelList.self).models.map(\.name)
            #expect(names == ["blocks", "blocks-v5"])
        }
    }

    @Test("A setting given in the file reaches the requests")
    func limits() async throws {
        try await TemporaryFolder.with { folder in
            let file = folder.appendingPathComponent("settings.yaml").path
            let text = "max_picture_bytes: 1KiB\nmodels: [\(Self.model)]\nport: 0\n"
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            try await RunningServer.with(.init(environment: ["NEREID_CONFIG": file])) { server in
                let form = [FormPart.file(ByteBuffer(repeating: 0, count: 1025))]
                let answer = try await server.post(RunningServer.path(of: "blocks-v8"), form: form)
                #expect(answer.status == 413)
                #expect(answer.problemCode == "upload_too_large")
                #expect(try answer.json(Problem.self).detail.contains("max_picture_bytes"))
            }
        }
    }

    @Test("A variable that is set to nothing counts as not set")
    func emptyVariables() async throws {
        let environment = [
            "NEREID_DEFAULT_MODEL": "", "NEREID_QUEUE_JOBS": "", "NEREID_CONFIG": "", "NEREID_DEVICE": "",
        ]
        try await RunningServer.with(.init(models: ["blocks-v8"], environment: environment)) { server in
            let answer = try await server.post("/predict/", form: .file(.blocks(Block(number: 0))))
            #expect(answer.status == 200)
        }
    }
}
