// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import Testing

@Suite("The commands beside serve", .inTurn)
struct CommandTests {
    private static let model = Repository.fixture("blocks-v8")
    private static let block = Block(column: 2, row: 0, colour: .red)

    /// Three pictures in a folder with another in it, and a file that only has the name of one.
    private func withPictures(_ body: (URL) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let below = folder.appendingPathComponent("below")
            try FileManager.default.createDirectory(at: below, withIntermediateDirectories: false)
            for (index, name) in ["a.png", "b.png", "below/a.png"].enumerated() {
                try ByteBuffer.blocks(Block(number: index)).write(to: folder.appendingPathComponent(name))
            }
            try "Not a picture, and not called one.".write(
                to: folder.appendingPathComponent("notes.txt"),
                atomically: true,
                encoding: .utf8
            )
            try await body(folder)
        }
    }

    @Test("predict answers all pictures of a folder, in order, as JSON")
    func predictJSON() async throws {
        try await withPictures { folder in
            let ended = try await ChildProcess.run(arguments: ["predict", Self.model, folder.path])
            #expect(ended.status == 0)
            #expect(ended.errors == "1 file is not named like a picture and was skipped: \(folder.path)/notes.txt\n")
            let results = try JSONDecoder().decode([Predictions.Result].self, from: Data(ended.output.utf8))
            #expect(results.map(\.file) == ["a.png", "b.png", "below/a.png"].map { "\(folder.path)/\($0)" })
            #expect(results.map(\.detections) == (0..<3).map { [Block(number: $0).detection] })
        }
    }

    @Test("predict answers the files named, in the order named, as CSV into a file")
    func predictCSV() async throws {
        try await withPictures { folder in
            let output = folder.appendingPathComponent("boxes.csv")
            let pictures = ["b.png", "a.png"].map { folder.appendingPathComponent($0).path }
            let ended = try await ChildProcess.run(
                arguments: ["predict", Self.model] + pictures + ["--format", "csv", "--output", output.path]
            )
            #expect(ended.status == 0)
            #expect(ended.output.isEmpty)
            let expected = """
                file,label,class_id,score,x1,y1,x2,y2,mask_area,image_width,image_height,taken,model,error
                \(pictures[0]),green,1,1,16,0,32,16,,640,32,,blocks-v8,
                \(pictures[1]),red,0,1,0,0,16,16,,640,32,,blocks-v8,

                """
            let lines = try String(contentsOf: output, encoding: .utf8)
            #expect(lines.replacing("\r\n", with: "\n") == expected)
        }
    }

    @Test("predict draws boxes on copies of the pictures")
    func predictAnnotated() async throws {
        try await withPictures { folder in
            let drawn = folder.appendingPathComponent("drawn")
            let ended = try await ChildProcess.run(
                arguments: ["predict", Self.model, folder.path, "--annotate", drawn.path]
            )
            #expect(ended.status == 0)
            let files = try FileManager.default.contentsOfDirectory(atPath: drawn.path).sorted()
            #expect(files == ["a-2.png", "a.png", "b.png"])
            let bytes = ByteBuffer(bytes: try Data(contentsOf: drawn.appendingPathComponent("b.png")))
            let picture = try Picture(decoding: bytes)
            #expect(picture.size == PixelSize(width: 640, height: 32))
            let undrawn = try ByteBuffer.blocks(Block(number: 1))
            #expect(bytes != undrawn, "nothing is drawn")
        }
    }

    @Test("predict reports a broken picture in its place and ends with status 1", arguments: ["json", "csv"])
    func predictBroken(format: String) async throws {
        try await withPictures { folder in
            let broken = folder.appendingPathComponent("aa.png")
            try "Not a picture, but called one.".write(to: broken, atomically: true, encoding: .utf8)
            let ended = try await ChildProcess.run(
                arguments: ["predict", Self.model, folder.path, "--format", format]
            )
            #expect(ended.status == 1)
            #expect(ended.errors.contains("1 of 4 pictures could not be answered"))
            if format == "csv" {
                #expect(ended.errors.contains("\(broken.path): "))
                #expect(ended.output.split(separator: "\r\n").count == 5)
                #expect(ended.output.contains("\r\n\(broken.path),,,,,,,,,,,,blocks-v8,not_a_picture\r\n"))
            } else {
                let results = try JSONDecoder().decode([Predictions.Result].self, from: Data(ended.output.utf8))
                #expect(results.map { $0.error?.code } == [nil, "not_a_picture", nil, nil])
            }
        }
    }

    @Test("predict says which path is not there")
    func predictMissing() async throws {
        for arguments in [["predict", Self.model, "/no/such.png"], ["predict", "/no/such.onnx", "/no/such.png"]] {
            let ended = try await ChildProcess.run(arguments: arguments)
            #expect(ended.status != 0)
            #expect(ended.errors.contains("/no/such"))
            #expect(ended.output.isEmpty)
        }
    }

    @Test("inspect shows inputs, head and classes")
    func inspect() async throws {
        let ended = try await ChildProcess.run(arguments: ["inspect", Self.model])
        #expect(ended.status == 0)
        for words in ["images", "float32", "output0", "detect", "yolov8", "3: red, green, blue", "RGB"] {
            #expect(ended.output.contains(words))
        }
    }

    @Test("inspect says why a file can't be served", arguments: ["broken", "identity-unknown", "unsupported-output"])
    func inspectBroken(fixture: String) async throws {
        let ended = try await ChildProcess.run(arguments: ["inspect", Repository.fixture(fixture)])
        #expect(ended.status != 0)
        #expect(ended.errors.hasPrefix("Error: "))
        #expect(ended.errors.contains(fixture))
        // What the graph is shows even if it can't be served, as long as it is a graph.
        #expect(ended.output.contains("images") == (fixture != "broken"))
    }

    /// What `bench --json` prints.
    private struct Report: Decodable {
        let latency: [String: Double]?
        let outcomes: [String: Int]
        let throughput: Double
        let seconds: Double

        enum CodingKeys: String, CodingKey {
            case outcomes, seconds
            case latency = "latency_ms"
            case throughput = "requests_per_second"
        }
    }

    private func bench(_ target: String, _ options: String..., pictures: URL) async throws -> Report {
        let ended = try await ChildProcess.run(
            arguments: ["bench", target, pictures.path, "--json", "--duration", "0.5", "--warm-up", "0.1"] + options
        )
        #expect(ended.status == 0)
        #expect(ended.errors.isEmpty)
        return try JSONDecoder().decode(Report.self, from: Data(ended.output.utf8))
    }

    private func expectSense(in report: Report) {
        #expect(report.outcomes["ok"].map { $0 > 0 } == true)
        #expect(report.outcomes.count == 1, "\(report.outcomes)")
        #expect(report.throughput > 0)
        let latency = report.latency ?? [:]
        #expect(Set(latency.keys).isSuperset(of: ["mean", "p50", "p90", "p95", "p99", "max"]))
        let rising = ["p50", "p90", "p95", "p99", "max"].compactMap { latency[$0] }
        #expect(rising == rising.sorted())
        #expect(rising.first.map { $0 > 0 } == true)
    }

    @Test("bench measures a running server")
    func benchServer() async throws {
        try await withPictures { folder in
            try await RunningServer.with(.init(models: ["blocks-v8"])) { server in
                expectSense(in: try await bench(server.url, "--concurrency", "3", pictures: folder))
                expectSense(in: try await bench(server.url, "--rate", "20", pictures: folder))
                let refused = try await bench(server.url, "--model", "benthic", pictures: folder)
                #expect(refused.outcomes.keys.map(\.self) == ["404"])
                #expect(refused.latency == nil)
            }
        }
    }

    @Test("bench measures a model", arguments: ["engine", "predict", "decode", "worker", "queue"])
    func benchModel(stage: String) async throws {
        try await withPictures { folder in
            expectSense(in: try await bench(Self.model, "--stage", stage, pictures: folder))
        }
    }

    @Test("bench says when nobody answers")
    func benchNobody() async throws {
        try await withPictures { folder in
            let ended = try await ChildProcess.run(arguments: ["bench", "http://127.0.0.1:1", folder.path])
            #expect(ended.status != 0)
            #expect(ended.errors.contains("no Nereid server answers at http://127.0.0.1:1"))
        }
    }
}
