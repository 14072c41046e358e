// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import Testing

/// Programs that others wrote, against the real server.
@Suite("Real clients", .inTurn, .serving("blocks-v8"))
struct ClientTests {
    /// Blocks of all colours, of which some score less than 1.
    private func withPicture(_ body: (URL) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let picture = folder.appendingPathComponent("blocks.png")
            let blocks = [
                Block(column: 4, row: 3, colour: .red), Block(column: 12, row: 9, colour: .green),
                Block(column: 22, row: 5, colour: .blue, paleness: 179),
                Block(column: 33, row: 14, colour: .red, paleness: 191),
            ]
            try Picture.grey(with: blocks, rows: 20).encoded(as: .png).write(to: picture)
            try await body(picture)
        }
    }

    @Test(
        "keras-model-client gets the blocks",
        .enabled(if: Repository.hasPython, Repository.pythonIsMissing)
    )
    func kerasModelClient() async throws {
        try await withPicture { picture in
            let ended = try await ChildProcess.run(
                Repository.python,
                arguments: [
                    Repository.path("Tests/EndToEnd/client_test.py"), RunningServer.shared.url, "blocks-v8",
                    picture.path,
                ]
            )
            #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        }
    }

    @Test(
        "A person at a browser can use the page",
        .enabled(if: Repository.hasPython, Repository.pythonIsMissing),
        .enabled(if: Repository.hasBrowser, "Chromium and its driver are not there; run scripts/setup --tests")
    )
    func page() async throws {
        try await withPicture { picture in
            let ended = try await ChildProcess.run(
                Repository.python,
                arguments: [
                    Repository.path("Tests/EndToEnd/page_test.py"), RunningServer.shared.url, picture.path, "--model",
                    "blocks-v8",
                ],
                within: .seconds(180)
            )
            #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        }
    }

    @Test("curl gets the boxes", .enabled(if: Repository.program("curl") != nil, "curl is not there"))
    func curl() async throws {
        let curl = try #require(Repository.program("curl"))
        let server = try RunningServer.shared
        try await withPicture { picture in
            let form = try await ChildProcess.run(
                curl,
                arguments: [
                    "-sSf", "-F", "model_type=blocks-v8", "-F", "file=@\(picture.path)", "\(server.url)/predictor/",
                ]
            )
            let answer = try JSONDecoder().decode(PredictorAnswer.self, from: Data(form.output.utf8))
            #expect(answer.predictions.map(\.categoryID) == ["red", "green", "blue", "red"])
            // Asked to expect an answer before the body, curl waits a second if there is none.
            let raw = try await ChildProcess.run(
                curl,
                arguments: [
                    "-sSf", "-H", "Expect: 100-continue", "--data-binary", "@\(picture.path)",
                    "--expect100-timeout", "30", server.url + RunningServer.path(of: "blocks-v8"),
                ],
                within: .seconds(20)
            )
            let prediction = try JSONDecoder().decode(Prediction.self, from: Data(raw.output.utf8))
            #expect(prediction.detections.map(\.label) == ["red", "green", "blue", "red"])
        }
    }
}
