// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@Suite("A folder of models that changes", .inTurn)
struct FolderTests {
    private let block = Block(column: 11, row: 1, colour: .red)

    /// Serves a folder that holds some fixtures to begin with.
    private func serve(
        _ fixtures: String...,
        awaitsReadiness: Bool = true,
        body: (RunningServer, URL) async throws -> Void
    ) async throws {
        try await TemporaryFolder.with { folder in
            for fixture in fixtures { try copy(fixture, to: folder) }
            try await RunningServer.with(.init(models: [folder.path], awaitsReadiness: awaitsReadiness)) { server in
                try await body(server, folder)
            }
        }
    }

    /// Puts a fixture where a model is expected, all at once as a careful person does.
    private func copy(_ fixture: String, to folder: URL, as name: String? = nil) throws {
        let temporary = folder.appendingPathComponent(".\(UUID().uuidString)")
        try FileManager.default.copyItem(atPath: Repository.fixture(fixture), toPath: temporary.path)
        let target = folder.appendingPathComponent("\(name ?? fixture).onnx")
        guard rename(temporary.path, target.path) == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    @Test("An empty folder is not ready; a model copied into it slowly is served once it is whole")
    func slowCopy() async throws {
        try await serve(awaitsReadiness: false) { server, folder in
            let reasons = try await eventually("the reason for not being ready") {
                let answer = try await server.get("/health/ready")
                #expect(answer.status == 503)
                let missing = try answer.json(Readiness.self).missing ?? []
                return missing == ["models are being loaded"] ? nil : missing
            }
            #expect(reasons == ["there is no model in the watched folders; put one there"])
            #expect(try await server.post("/predict", form: .file(.blocks(block))).status == 404)

            let whole = try Data(contentsOf: URL(fileURLWithPath: Repository.fixture("blocks-v8")))
            let file = folder.appendingPathComponent("blocks-v8.onnx")
            try whole.prefix(whole.count / 2).write(to: file)
            // The pause is so long that the half is taken for a model, which is the hardest case.
            let failure = try await eventually("the half to be seen") { try await server.model("blocks-v8")?.reason }
            #expect(failure.contains("blocks-v8"))
            #expect(try await server.get("/health/ready").status == 503)
            #expect(try await server.predict(.blocks(block)).status == 503)
            let handle = try FileHandle(forWritingTo: file)
            try handle.seekToEnd()
            try handle.write(contentsOf: whole.dropFirst(whole.count / 2))
            try handle.close()
            try await server.becomesReady()
            try await server.expectCorrectAnswer()
        }
    }

    @Test("A model is replaced under load without a failed request")
    func replacement() async throws {
        try await serve("blocks-v8") { server, folder in
            let answered = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await ask(server) } }
                for (fixture, head) in [("blocks-v5", "yolov5"), ("blocks-v8", "yolov8")] {
                    try copy(fixture, to: folder, as: "blocks-v8")
                    try await eventually("the head \(head)") {
                        try await (server.model("blocks-v8")?.head?.kind == head).orNil
                    }
                }
                group.cancelAll()
                return try await group.reduce(0, +)
            }
            #expect(answered > 20)
        }
    }

    /// Asks again and again until it is cancelled, and returns how many answers there were.
    private func ask(_ server: RunningServer) async throws -> Int {
        let picture = try ByteBuffer.blocks(block)
        var count = 0
        while !Task.isCancelled {
            do {
                let answer = try await server.predict(picture)
                #expect(answer.status == 200)
                #expect(try answer.json(Prediction.self).detections == [block.detection])
                count += 1
            } catch is CancellationError {
                break
            }
        }
        return count
    }

    @Test("A model that is removed is no longer found, and its neighbours go on")
    func removal() async throws {
        try await serve("blocks-v5", "blocks-v8") { server, folder in
            #expect(try await server.predict(.blocks(block), model: "blocks-v5").status == 200)
            try FileManager.default.removeItem(at: folder.appendingPathComponent("blocks-v5.onnx"))
            let answer = try await eventually("the model to be gone") {
                let answer = try await server.predict(.blocks(block), model: "blocks-v5")
                return answer.status == 200 ? nil : answer
            }
            #expect(answer.status == 404)
            #expect(try answer.json(Problem.self).detail == "model ‘blocks-v5’ not found; served here: blocks-v8")
            try await server.expectCorrectAnswer()
            #expect(try await server.get("/health/ready").status == 200)
        }
    }

    @Test("A file that is no model is shown with the reason, and its neighbours go on")
    func broken() async throws {
        try await serve("blocks-v8", "broken", awaitsReadiness: false) { server, folder in
            let reason = try await eventually("the reason") { try await server.model("broken")?.reason }
            #expect(reason.contains("broken"))
            try await eventually("the other") { try await (server.model("blocks-v8")?.state == "ready").orNil }
            #expect(try await server.model("broken")?.state == "failed")
            try await server.expectCorrectAnswer()

            let refused = try await server.predict(.blocks(block), model: "broken")
            #expect(refused.status == 503)
            #expect(refused.problemCode == "model_broken")
            #expect(try refused.json(Problem.self).detail.contains(reason))
            // A load balancer must not take it out of service for that.
            let readiness = try await server.get("/health/ready")
            #expect(readiness.status == 200)
            let health = try readiness.json(Readiness.self)
            #expect(health.status == "degraded")
            #expect(health.broken?.map(\.model) == ["broken"])
            #expect(health.broken?.map(\.reason) == [reason])
            #expect(try await server.metric("nereid_models_broken") == 1)

            try copy("blocks-v5", to: folder, as: "broken")
            try await eventually("the mended model") { try await (server.model("broken")?.state == "ready").orNil }
            #expect(try await server.get("/health/ready").json(Readiness.self).status == "ready")
            try await server.expectCorrectAnswer(model: "broken")
        }
    }

    @Test("A model that is replaced by a broken file goes on as it was")
    func brokenReplacement() async throws {
        try await serve("blocks-v8") { server, folder in
            try copy("broken", to: folder, as: "blocks-v8")
            let reason = try await eventually("the reason") { try await server.model("blocks-v8")?.reason }
            try await server.expectCorrectAnswer()
            #expect(try await server.model("blocks-v8")?.state == "ready")
            let health = try await server.get("/health/ready").json(Readiness.self)
            #expect(health.status == "degraded")
            #expect(health.broken?.map(\.answers) == [true])
            #expect(health.broken?.map(\.reason) == [reason])
        }
    }

    @Test("A label file that changes alone, and a model written over in place with its old time, are loaded again")
    func unobtrusiveChanges() async throws {
        try await serve("blocks-v8") { server, folder in
            func labels(_ word: String, eventually name: String) async throws {
                try await eventually("the label \(word) of \(name)") {
                    let answer = try await server.predict(.blocks(block))
                    return try (answer.json(Prediction.self).detections.map(\.label) == [word]).orNil
                }
            }
            let names = folder.appendingPathComponent("names.txt")
            try "crimson\nlime\nnavy\n".write(to: names, atomically: true, encoding: .utf8)
            try "labels: names.txt\n".write(
                to: folder.appendingPathComponent("blocks-v8.yaml"),
                atomically: true,
                encoding: .utf8
            )
            try await labels("crimson", eventually: "the settings")
            try "scarlet\nlime\nnavy\n".write(to: names, atomically: true, encoding: .utf8)
            try await labels("scarlet", eventually: "the label file")

            let model = folder.appendingPathComponent("blocks-v8.onnx")
            let time = try #require(
                FileManager.default.attributesOfItem(atPath: model.path)[.modificationDate] as? Date
            )
            let size = try Data(contentsOf: model).count
            let handle = try FileHandle(forWritingTo: model)
            try handle.write(contentsOf: Data(repeating: 0xFF, count: size))
            try handle.close()
            try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: model.path)
            try await eventually("the damage to be noticed") { try await server.model("blocks-v8")?.reason }
        }
    }

    @Test("Settings beside a model count, also when they change")
    func settings() async throws {
        try await serve("blocks-v8") { server, folder in
            let settings = folder.appendingPathComponent("blocks-v8.yaml")
            try "aliases: [image_queue_blocks]\nrename: {red: crimson}\n".write(
                to: settings,
                atomically: true,
                encoding: .utf8
            )
            try await eventually("the alias") {
                try await (server.model("blocks-v8")?.aliases == ["image_queue_blocks"]).orNil
            }
            let answer = try await server.predict(.blocks(block), model: "image_queue_blocks")
            #expect(try answer.json(Prediction.self).detections.map(\.label) == ["crimson"])
            try "confidense: 0.5\n".write(to: settings, atomically: true, encoding: .utf8)
            let reason = try await eventually("the misspelt key to be reported") {
                try await server.model("blocks-v8")?.reason
            }
            #expect(reason.contains("confidense"))
        }
    }
}
