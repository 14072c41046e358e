// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import HummingbirdTesting
import NIOCore
import NereidImaging
import NereidJobs
import NereidVision
import ServiceLifecycle
import TestSupport
import Testing

@testable import NereidServer

/// What docs/jobs.md shows, done.
@Suite("The page about jobs", .timeLimit(.minutes(1)))
struct DocumentedJobTests {
    /// The page's blocks of a language, in their order.
    static func blocks(of language: String) throws -> [String] {
        // This file is Tests/NereidServerTests/Routes/DocumentedJobTests.swift of the repository.
        let root = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        let page = try String(contentsOf: root.appendingPathComponent("docs/jobs.md"), encoding: .utf8)
        return page.components(separatedBy: "```\(language)\n").dropFirst().map {
            $0.components(separatedBy: "\n```")[0]
        }
    }

    static func json(_ text: String) throws -> JSON { try JSONDecoder().decode(JSON.self, from: Data(text.utf8)) }

    @Test("shows answers as they are")
    func answers() async throws {
        let shown = try Self.blocks(of: "json").map(Self.json)
        #expect(shown.count == 2)
        let store = StubJobStore()
        try await TestServer(jobs: store).test { client in
            let picture = try TestPicture.blocks()
            let zip = try Zip().file("dive7/b.png", picture).file("dive7/scene.png", picture).file("notes.txt", "x")
                .bytes
            try await client.execute(uri: JobRouteTests.path, method: .post, body: zip) {
                #expect($0.json.keys == shown[0].keys)
                #expect($0.json.pictures.keys == shown[0].pictures.keys)
            }
            let detection = Detection(box: Box(x1: 1, y1: 2, x2: 3, y2: 4), score: 1, classID: 2, label: "blue")
            await store.answer("job-1", .failure(ImagingError.notAPicture))
            await store.answer("job-1", .success(.detections([detection])))
            try await client.execute(uri: "/v1/jobs/job-1?after=1&limit=1", method: .get) {
                #expect($0.json.keys == shown[1].keys)
                #expect($0.json.state == shown[1].state)
                let (result, example) = ($0.json.results[0], shown[1].results[0])
                #expect(result.keys == example.keys)
                #expect(result.file == example.file)
                for key in [\JSON.image, \.timing] { #expect(result[keyPath: key].keys == example[keyPath: key].keys) }
                #expect(result.detections[0].keys == example.detections[0].keys)
            }
        }
    }

    /// What Python writes when it runs this.
    private static func python(_ code: String, _ arguments: [String]) async throws -> String {
        let folder = try TemporaryFolder()
        // A file, not a pipe, whose end another test's program may inherit and keep open.
        let file = URL(fileURLWithPath: try folder.write("", to: "output"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", code] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: file)
        let (ends, continuation) = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in continuation.finish() }
        try process.run()
        for await _ in ends {}
        return try String(contentsOf: file, encoding: .utf8)
    }

    private static let hasPython = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":").contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/python3")
    }

    @Test("orders and follows a job in Python, also when the stream breaks off", .enabled(if: hasPython == true))
    func client() async throws {
        let store = StubJobStore()
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let server = try await TestServer(jobs: store, ports: continuation) { $0.shutdownDelay = .zero }
        let group = ServiceGroup(services: [server.server], logger: TestServer.logger)
        let running = Task { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let answering = Task {
            var count = 0
            for await id in store.waits {
                count += 1
                // In the middle the stream ends without a word; the client comes again, and goes on where it was.
                if count == 2 { await store.failOnce(with: .unavailable(reason: "no disk")) }
                await store.answer(id)
            }
        }
        let folder = try TemporaryFolder()
        let picture = try TestPicture.blocks()
        let zip = try (0..<3).reduce(Zip()) { $0.file("\($1).png", picture) }.bytes
        let path = folder.path("dive.zip")
        try Data(zip.readableBytesView).write(to: URL(fileURLWithPath: path))
        let code =
            try Self.blocks(of: "python")[0] + """

                import sys
                server, archive = sys.argv[1:]
                jobs = [order(server, "blocks", archive, "dive") for _ in range(2)]
                print(jobs[0]["id"], jobs[1]["id"])
                for result in results(server, jobs[0]["id"]):
                    print(result["sequence"], result["file"])
                try:
                    list(results(server, "no-such-job"))
                except urllib.error.HTTPError as error:
                    print(error.code)
                """
        let output = try await Self.python(code, ["http://127.0.0.1:\(port)", path])
        #expect(output == "job-1 job-1\n1 0.png\n2 1.png\n3 2.png\n404\n")
        answering.cancel()
        await group.triggerGracefulShutdown()
        try await running.value
    }

    @Test("tells genuine messages from others in Python", .enabled(if: hasPython == true))
    func signatures() async throws {
        let body = ByteBuffer(string: #"{"id":"job-1"}"#)
        let secret = WebhookSecret("not much of a secret")
        let now = Date.now
        let genuine = WebhookSignature(of: body, at: now, with: secret).header
        let signatures = [
            genuine,
            WebhookSignature(of: body, at: now - 200, with: secret).header,
            WebhookSignature(of: body, at: now - 400, with: secret).header,
            WebhookSignature(of: body, at: now, with: WebhookSecret("another")).header,
            WebhookSignature(of: ByteBuffer(string: "{}"), at: now, with: secret).header,
            genuine.replacing("t=", with: "t=1"), "", "t=,v1=", "v1", "t=1e3,v1=é",
        ]
        let code =
            try Self.blocks(of: "python")[1] + """

                import sys
                print([is_genuine(sys.argv[1], signature, sys.argv[2].encode()) for signature in sys.argv[3:]])
                """
        let output = try await Self.python(code, [secret.text, String(buffer: body)] + signatures)
        let expected = [true, true] + [Bool](repeating: false, count: 8)
        #expect(output == "[\(expected.map { $0 ? "True" : "False" }.joined(separator: ", "))]\n")
    }
}
