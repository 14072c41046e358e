// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import HummingbirdTesting
import NIOCore
import NereidJobs
import NereidModels
import Synchronization
import Testing

@testable import NereidServer

@Suite("Ids and traces of requests")
struct RequestIdentityTests {
    private static let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    static let goodIDs = [
        "1", "24a253254c7754527cbd6da7ad68635c", "7b1a4f6e-3c1d-4e0e-9a52-5d0f9f2b7a11", "Root=1-67891233-abcdef",
        "lab/dive_12:frame.7+a@ship", String(repeating: "x", count: 128),
    ]

    @Test("are kept in the answer, its body and the log", arguments: goodIDs)
    func kept(id: String) async throws {
        let log = LogLines()
        try await TestServer(logger: log.logger()).test { client in
            let headers: HTTPFields = [.requestID: id, .traceParent: Self.trace]
            let picture = try TestPicture.blocks()
            try await client.execute(uri: PredictRouteTests.path, method: .post, headers: headers, body: picture) {
                #expect($0.headers[.requestID] == id)
                #expect($0.headers[.traceParent] == Self.trace)
                #expect($0.json.id == .string(id))
            }
            let form = Form().file("a.png", picture).file("b.png", picture)
            try await client.execute(
                uri: PredictRouteTests.path,
                method: .post,
                headers: Form.headers.merging(headers),
                body: form.body
            ) {
                #expect($0.json.id == .string(id))
            }
            try await client.execute(uri: "/no/such", method: .get, headers: headers) {
                #expect($0.status == .notFound)
                #expect($0.headers[.requestID] == id)
            }
        }
        let lines = log.lines.filter { $0["msg"] == "request" }
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0["hb.request.id"] == id })
        #expect(lines.allSatisfy { $0["trace_id"] == "0af7651916cd43dd8448eb211c80319c" })
    }

    static let badIDs = [
        "", "two words", "a\"b", "a,b", "a;b", "<script>", "ä", "a\\b", "{}", "%0A", String(repeating: "x", count: 129),
    ]

    /// Whether an id is one of the server's own: two numbers in hexadecimal digits, without zeros before the first.
    private static func isNew(_ id: String) -> Bool { (17...32).contains(id.count) && id.allSatisfy(\.isHexDigit) }

    @Test("that could do harm, or are too long, are replaced", arguments: badIDs)
    func refused(id: String) async throws {
        let log = LogLines()
        try await TestServer(logger: log.logger()).test { client in
            let headers: HTTPFields = [.requestID: id, .traceParent: Self.trace.uppercased()]
            try await client.execute(uri: "/v1/models", method: .get, headers: headers) {
                let given = try #require($0.headers[.requestID])
                #expect(given != id)
                #expect(Self.isNew(given))
                #expect($0.headers[.traceParent] == nil)
            }
        }
        let line = try #require(log.lines.first { $0["msg"] == "request" })
        #expect(Self.isNew(try #require(line["hb.request.id"])))
        #expect(line["trace_id"] == nil)
    }

    @Test("that are given twice are none")
    func twice() {
        var headers = HTTPFields()
        for _ in 0..<2 {
            headers.append(HTTPField(name: .requestID, value: "a"))
            headers.append(HTTPField(name: .traceParent, value: Self.trace))
        }
        #expect(RequestIdentity.id(in: headers) == nil)
        #expect(RequestIdentity.trace(in: headers) == nil)
        #expect(RequestIdentity.id(in: [:]) == nil)
    }

    @Test("go along with the job")
    func job() async throws {
        let seen = Mutex<[Job]>([])
        let queue = StubQueue { job in
            seen.withLock { $0.append(job) }
            throw JobError.deadlinePassed(model: "blocks", hadBegun: false)
        }
        try await TestServer(queue: queue).test { client in
            let headers: HTTPFields = [.requestID: "dive-7", .traceParent: Self.trace]
            let picture = try TestPicture.blocks()
            try await client.execute(uri: PredictRouteTests.path, method: .post, headers: headers, body: picture) {
                #expect($0.status == .gatewayTimeout)
            }
        }
        let jobs = seen.withLock { $0 }
        #expect(jobs.map(\.id) == ["dive-7"])
        #expect(jobs.map(\.trace) == [TraceParent(Self.trace)])
    }

    @Test("and whatever else a client writes can't forge a line of the log")
    func injection() async throws {
        let log = LogLines()
        let paths = [
            "/%0Atime=now%20level=error%20msg=forged", "/a%1B[31m", "/x%22%20status=200", "/%E2%80%AE",
            "/v1/models/a%0Ab/predict", "/v1/models/level=error%20msg=forged",
        ]
        try await TestServer(logger: log.logger()).test { client in
            for path in paths {
                try await client.execute(uri: path, method: .get) { #expect($0.status != .ok) }
                try await client.execute(uri: path, method: .post, body: ByteBuffer(string: "\nmsg=forged")) { _ in }
            }
        }
        #expect(log.text.split(separator: "\n").count == log.lines.count)
        #expect(log.lines.allSatisfy { $0["msg"] != "forged" && $0["level"] != "error" && !$0.isEmpty })
        #expect(log.text.replacing("\n", with: "").isPrintable)
        #expect(log.lines.count { $0["msg"] == "request" } == paths.count * 2)
    }
}

extension HTTPFields {
    fileprivate func merging(_ others: HTTPFields) -> HTTPFields {
        var all = self
        all.append(contentsOf: others)
        return all
    }
}
