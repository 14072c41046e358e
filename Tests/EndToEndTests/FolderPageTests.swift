// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import Testing

/// A person who drops folders onto the page, in a real browser.
@Suite(
    "Folders on the page",
    .inTurn,
    .serialized,
    .enabled(if: Repository.hasPython, Repository.pythonIsMissing),
    .enabled(if: Repository.hasBrowser, "Chromium and its driver are not there; run scripts/setup --tests")
)
struct FolderPageTests {
    /// Runs Tests/EndToEnd/folder_test.py against a server of its own.
    ///
    /// - Parameter jobs: the setting `jobs` of the server; `nil`: a folder that is empty.
    private func run(jobs: String? = nil, arguments: [String] = []) async throws {
        try await TemporaryFolder.with { folder in
            let picture = folder.appendingPathComponent("blocks.png")
            let blocks = [
                Block(column: 4, row: 3, colour: .red), Block(column: 12, row: 9, colour: .green),
                Block(column: 22, row: 5, colour: .blue, paleness: 179),
            ]
            try Picture.grey(with: blocks, rows: 20).encoded(as: .png).write(to: picture)
            let jobs = jobs ?? folder.appendingPathComponent("jobs").path
            let setup = RunningServer.Setup(models: ["blocks-v8", "blocks-v5"], flags: ["--jobs", jobs])
            try await RunningServer.with(setup) { server in
                let ended = try await ChildProcess.run(
                    Repository.python,
                    arguments: [
                        Repository.path("Tests/EndToEnd/folder_test.py"), server.url, picture.path, "--model",
                        "blocks-v8",
                    ] + arguments,
                    within: .seconds(300)
                )
                #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
            }
        }
    }

    @Test("A folder, a zip and many files become jobs, and one file of results")
    func jobs() async throws {
        try await run()
    }

    @Test("Zips are opened and COCO files written in the browser")
    func modules() async throws {
        try await RunningServer.with(.init(models: ["blocks-v8"])) { server in
            let ended = try await ChildProcess.run(
                Repository.python,
                arguments: [Repository.path("Tests/EndToEnd/modules_test.py"), server.url],
                within: .seconds(120)
            )
            #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        }
    }

    @Test("Where the server keeps no jobs, the pictures are asked for one by one")
    func withoutJobs() async throws {
        try await run(jobs: "off", arguments: ["--without-jobs"])
    }
}
