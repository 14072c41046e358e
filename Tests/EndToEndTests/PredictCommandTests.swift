// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@Suite("Long runs of predict", .inTurn)
struct PredictCommandTests {
    private static let model = Repository.fixture("blocks-v8")

    /// A folder of pictures, `0.png` and so on, each with the block of its number.
    private func withPictures(_ count: Int, _ body: (URL) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let pictures = folder.appendingPathComponent("pictures")
            try FileManager.default.createDirectory(at: pictures, withIntermediateDirectories: false)
            for number in 0..<count {
                try ByteBuffer.blocks(Block(number: number)).write(to: pictures.appendingPathComponent("\(number).png"))
            }
            try await body(folder)
        }
    }

    private func names(_ numbers: some Sequence<Int>, in folder: URL) -> [String] {
        numbers.map { "\(folder.path)/pictures/\($0).png" }
    }

    private struct Line: Decodable {
        let file: String
        let detections: [Detection]?
        let error: Problem?
    }

    private func lines(of text: String) throws -> [Line] {
        try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    private func predict(_ folder: URL, _ arguments: String..., model: String = Self.model) async throws
        -> ChildProcess.Ended
    {
        try await ChildProcess.run(arguments: ["predict", model, folder.path + "/pictures"] + arguments)
    }

    @Test("Hidden files are passed over in folders, others are counted and some of them named")
    func otherFiles() async throws {
        try await withPictures(1) { folder in
            let pictures = folder.appendingPathComponent("pictures")
            for name in ["._0.png", ".DS_Store", "Thumbs.db"] {
                try Data([0, 5, 22, 7]).write(to: pictures.appendingPathComponent(name))
            }
            try FileManager.default.createDirectory(
                at: pictures.appendingPathComponent("folder.png"),
                withIntermediateDirectories: false
            )
            for number in 10..<22 { try Data("x".utf8).write(to: pictures.appendingPathComponent("\(number).txt")) }
            let ended = try await predict(folder)
            #expect(ended.status == 0)
            let results = try JSONDecoder().decode([Line].self, from: Data(ended.output.utf8))
            #expect(results.map(\.file) == names([0], in: folder))
            #expect(
                ended.errors.hasPrefix(
                    "12 files are not named like a picture and were skipped: \(pictures.path)/10.txt, \(pictures.path)/11.txt, "
                )
            )
            #expect(ended.errors.hasSuffix("\(pictures.path)/19.txt and 2 more\n"))
            // A file that is named by itself is tried, whatever its name is.
            let named = try await ChildProcess.run(arguments: ["predict", Self.model, pictures.path + "/10.txt"])
            #expect(named.status == 1)
            #expect(named.output.contains("not_a_picture"))
        }
    }

    @Test("JSON lines have a line for each picture, also for one that failed")
    func jsonLines() async throws {
        try await withPictures(2) { folder in
            try Data().write(to: folder.appendingPathComponent("pictures/00.png"))
            let ended = try await predict(folder, "--format", "jsonl")
            #expect(ended.status == 1)
            let lines = try lines(of: ended.output)
            #expect(
                lines.map(\.file) == names([0], in: folder) + ["\(folder.path)/pictures/00.png"]
                    + names([1], in: folder)
            )
            #expect(lines.map { $0.error?.code } == [nil, "not_a_picture", nil])
            #expect(lines[1].error?.detail.contains("the file is empty") == true)
            #expect(lines[2].detections == [Block(number: 1).detection])
        }
    }

    @Test("--classes may be given several times, and the table has a line for a picture without finds")
    func classes() async throws {
        try await withPictures(3) { folder in
            let ended = try await predict(folder, "--format", "csv", "--classes", "red", "--classes", "2")
            #expect(ended.status == 0)
            let rows = ended.output.split(separator: "\r\n").dropFirst().map {
                $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            }
            #expect(rows.map { $0[1] } == ["red", "", "blue"])
            #expect(
                rows[1] == names([1], in: folder) + [String](repeating: "", count: 8) + [
                    "640", "32", "", "blocks-v8", "",
                ]
            )
        }
    }

    @Test("--resume goes on behind the last whole result, with JSON lines and with CSV", arguments: ["jsonl", "csv"])
    func resume(format: String) async throws {
        try await withPictures(5) { folder in
            let output = folder.appendingPathComponent("results")
            let arguments =
                ["predict", Self.model] + names(0..<5, in: folder) + [
                    "--format", format, "-o", output.path, "--resume",
                ]
            func run(_ arguments: [String]) async throws -> String {
                let ended = try await ChildProcess.run(arguments: arguments)
                #expect(ended.status == 0, "\(ended.errors)")
                return ended.errors
            }
            // Without a file it begins anew.
            #expect(try await run(arguments).contains("resuming: 0 of 5 pictures"))
            let whole = try Data(contentsOf: output)
            // The times differ from run to run, what was found does not.
            func stable(_ data: Data) -> String {
                String(decoding: data, as: UTF8.self).replacing(#/"timing":\{[^}]*\}/#, with: "")
            }
            let ends = whole.indices.filter { whole[$0] == 10 }.map { $0 + 1 }
            for (cut, kept) in [
                (ends[2] + 20, [3, 2]), (ends[0] - 5, [0, 0]), (ends[1], [2, 0]), (0, [0, 0]), (10, [0, 0]),
            ] {
                try whole.prefix(cut).write(to: output)
                // The last picture of a table may lack lines: it is done again.
                let count = kept[format == "csv" ? 1 : 0] - (format == "csv" && kept[1] > 0 ? 1 : 0)
                let errors = try await run(arguments)
                #expect(errors.contains("resuming: \(count) of 5 pictures"), "\(cut): \(errors)")
                #expect(stable(try Data(contentsOf: output)) == stable(whole), "\(cut)")
            }
            // All is there: nothing is lost and nothing doubled.
            _ = try await run(arguments)
            #expect(stable(try Data(contentsOf: output)) == stable(whole))
            // What other pictures left stays.
            _ = try await run([
                "predict", Self.model, names([4], in: folder)[0], "--format", format, "-o", output.path, "--resume",
            ])
            #expect(stable(try Data(contentsOf: output)) == stable(whole))
        }
    }

    @Test("--resume leaves files alone that are not its own")
    func resumeRefused() async throws {
        try await withPictures(1) { folder in
            let output = folder.appendingPathComponent("results")
            let foreign = "name,value\r\na,1\r\n"
            try foreign.write(to: output, atomically: true, encoding: .utf8)
            for format in ["jsonl", "csv"] {
                let ended = try await predict(folder, "--format", format, "-o", output.path, "--resume")
                #expect(ended.status == 1)
                #expect(ended.errors.contains("is not a file that ‘nereid predict --format \(format)’ wrote"))
                #expect(try String(contentsOf: output, encoding: .utf8) == foreign)
            }
            let json = try await predict(folder, "-o", output.path, "--resume")
            #expect(json.status != 0)
            #expect(json.errors.contains("--format jsonl or csv"))
            let nowhere = try await predict(folder, "--format", "csv", "--resume")
            #expect(nowhere.status != 0)
            #expect(nowhere.errors.contains("--resume needs --output FILE"))
        }
    }

    @Test(
        "A signal to stop ends the run with whole results",
        arguments: [("json", SIGINT), ("jsonl", SIGTERM), ("csv", SIGINT)]
    )
    func interrupted(format: String, signal: Int32) async throws {
        try await withPictures(60) { folder in
            let output = folder.appendingPathComponent("results")
            let process = try ChildProcess(
                ChildProcess.nereid,
                [
                    "predict", Repository.fixture("slow"), folder.path + "/pictures", "--format", format, "-o",
                    output.path,
                    "--instances", "1",
                ],
                folder: folder
            )
            defer { process.kill() }
            try await eventually("the first result", within: .seconds(60)) {
                ((try? String(contentsOf: output, encoding: .utf8))?.contains("0.png") ?? false).orNil
            }
            if signal == SIGINT { process.interrupt() } else { process.terminate() }
            #expect(try await process.exitStatus() == 128 + signal)
            #expect(process.errors.contains("interrupted: "))
            let text = try String(contentsOf: output, encoding: .utf8)
            let files: [String]
            switch format {
            case "json": files = try JSONDecoder().decode([Line].self, from: Data(text.utf8)).map(\.file)
            case "jsonl": files = try lines(of: text).map(\.file)
            default: files = text.split(separator: "\r\n").dropFirst().map { String($0.prefix { $0 != "," }) }
            }
            #expect(files.count >= 1 && files.count < 60)
            // In the order of the names, nothing left out.
            let all = (0..<60).map { "\(folder.path)/pictures/\($0).png" }.sorted()
            #expect(files == Array(all.prefix(files.count)))
            #expect(process.errors.contains("interrupted: \(files.count) of 60 pictures have results"))
            #expect(!text.contains("\"error\""))
        }
    }
}
