// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

/// Clients that break the rules, or only try the server's patience. Whatever they do, it answers or closes, and lives.
@Suite(
    "Rude clients",
    .inTurn,
    .serving("blocks-v8", flags: "--request-timeout", "5", "--idle-timeout", "6", "--max-request-bytes", "1MiB")
)
struct RudeClientTests {
    /// Opens a connection, and sees to it that the server goes on answering whatever was done there.
    private func rudely(_ body: (RawConnection) async throws -> Void) async throws {
        let server = try RunningServer.shared
        try await RawConnection.with(server, body)
        try await server.expectCorrectAnswer()
    }

    private func expectProblem(_ answer: Answer, _ status: Int, _ code: String) {
        #expect(answer.status == status)
        #expect(answer.problemCode == code)
    }

    // MARK: Bodies that do not come

    @Test("A body that ends before its length is a malformed upload")
    func bodyCutShort() async throws {
        try await rudely { connection in
            try await connection.send(.request("Content-Length: 5000"))
            try await connection.send(String(repeating: "x", count: 100))
            try await connection.finishSending()
            expectProblem(try await connection.answer(), 400, "malformed_upload")
            try await connection.ends()
        }
    }

    @Test("A connection that is closed in the middle of a body does no harm")
    func closedInBody() async throws {
        try await rudely { connection in
            try await connection.send(.request("Content-Length: 5000"))
            try await connection.send("x")
            await connection.close()
        }
        let server = try RunningServer.shared
        try await eventually("the upload's memory to be given back") {
            try await (server.metric("nereid_upload_bytes") == 0).orNil
        }
    }

    @Test("A body that never comes is given up after request_timeout", arguments: ["", "some"])
    func silence(begin: String) async throws {
        try await rudely { connection in
            let begun = ContinuousClock.now
            try await connection.send(.request("Content-Length: 5000"))
            try await connection.send(begin)
            expectProblem(try await connection.answer(), 408, "upload_too_slow")
            #expect(ContinuousClock.now - begun >= .seconds(4.9))
            try await connection.ends()
        }
    }

    @Test("A body that drips in is given up after request_timeout")
    func slowBody() async throws {
        try await rudely { connection in
            try await connection.send(.request("Content-Length: 5000"))
            let drip = Task {
                while !Task.isCancelled {
                    try await connection.send("x")
                    try await Task.sleep(for: .milliseconds(200))
                }
            }
            defer { drip.cancel() }
            expectProblem(try await connection.answer(), 408, "upload_too_slow")
            try await connection.ends()
        }
    }

    @Test("A body that drips in but ends in time is answered")
    func slowBodyInTime() async throws {
        try await rudely { connection in
            let block = Block(column: 1, row: 0, colour: .green)
            var picture = try ByteBuffer.blocks(block)
            try await connection.send(.request("Content-Length: \(picture.readableBytes)"))
            while let piece = picture.readSlice(length: min(picture.readableBytes, 64)), piece.readableBytes > 0 {
                try await connection.send(piece)
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try await connection.answer().json(Prediction.self).detections == [block.detection])
        }
    }

    // MARK: Bodies that are too large

    @Test("A body longer than its length is taken for what it is: a bad request behind a good one")
    func bodyTooLong() async throws {
        try await rudely { connection in
            try await connection.send(.request("Content-Length: 10"))
            try await connection.send(String(repeating: "x", count: 100))
            try await connection.ends()
            let statuses = [try await connection.answer().status, try await connection.answer().status]
            // Whether the first is still being worked on when the second is found bad, is chance.
            #expect(statuses == [415, 400] || statuses == [499, 400])
        }
    }

    @Test("A body that says it is too large is refused before it comes")
    func declaredTooLarge() async throws {
        try await rudely { connection in
            try await connection.send(.request("Content-Length: \(1 << 20 + 1)"))
            expectProblem(try await connection.answer(), 413, "upload_too_large")
            try await connection.ends()
        }
    }

    @Test("A body that does not say that it is too large is refused when it is", arguments: [false, true])
    func undeclaredTooLarge(asForm: Bool) async throws {
        try await rudely { connection in
            let type = asForm ? "multipart/form-data; boundary=\(ByteBuffer.boundary)" : "image/png"
            try await connection.send(.request("Transfer-Encoding: chunked", "Content-Type: \(type)"))
            let form = "--\(ByteBuffer.boundary)\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n"
            // Beyond the refusal the server may close at any moment.
            try? await connection.send(chunks: [asForm ? form : ""] + Array(repeating: .kibibytes(64), count: 20))
            expectProblem(try await connection.answer(), 413, "upload_too_large")
            try await connection.ends()
        }
    }

    @Test("A body in chunks is read like any other")
    func chunkedBody() async throws {
        try await rudely { connection in
            let block = Block(column: 2, row: 1, colour: .red)
            var picture = try ByteBuffer.blocks(block)
            try await connection.send(.request("Transfer-Encoding: chunked"))
            while let piece = picture.readSlice(length: min(picture.readableBytes, 7)), piece.readableBytes > 0 {
                try await connection.send("\(String(piece.readableBytes, radix: 16))\r\n")
                try await connection.send(piece)
                try await connection.send("\r\n")
            }
            try await connection.send("0\r\n\r\n")
            #expect(try await connection.answer().json(Prediction.self).detections == [block.detection])
        }
    }

    @Test("A client that asks before it sends is told to go on, or not to")
    func expectContinue() async throws {
        try await rudely { connection in
            let block = Block(column: 5, row: 0, colour: .blue)
            let picture = try ByteBuffer.blocks(block)
            try await connection.send(.request("Content-Length: \(picture.readableBytes)", "Expect: 100-continue"))
            #expect(try await connection.answer().status == 100)
            try await connection.send(picture)
            #expect(try await connection.answer().json(Prediction.self).detections == [block.detection])

            try await connection.send(.request("Content-Length: \(2 << 20)", "Expect: 100-continue"))
            // To go on is never wrong; what counts is that the refusal does not wait for the body.
            var answer = try await connection.answer()
            if answer.status == 100 { answer = try await connection.answer() }
            expectProblem(answer, 413, "upload_too_large")
        }
    }

    // MARK: Things that are no requests

    @Test(
        "What is no HTTP is refused with 400",
        arguments: [
            "\u{16}\u{3}\u{1}\u{2}\u{0}garbage\r\n\r\n",
            "Good morning!\r\n\r\n",
            "GET / HTTP/1.1\r\nX-Long: \(String.kibibytes(200))\r\n\r\n",
            "GET /\(String.kibibytes(200)) HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET / HTTP/1.1\r\n\(String(repeating: "A: b\r\n", count: 5000))",
            "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ]
    )
    func garbage(text: String) async throws {
        try await rudely { connection in
            // The server may close before it has seen all of it.
            try? await connection.send(text)
            #expect(try await connection.answer().status == 400)
            try await connection.ends()
        }
    }

    @Test("Chunks that are none end the connection")
    func badChunks() async throws {
        try await rudely { connection in
            try await connection.send(.request("Transfer-Encoding: chunked"))
            try await connection.send("zzz\r\n")
            #expect(try await connection.answer().status == 400)
            try await connection.ends()
        }
    }

    @Test("A connection with nothing to do is closed after idle_timeout", arguments: [false, true])
    func idleConnection(afterRequest: Bool) async throws {
        try await rudely { connection in
            // The server counts from its last byte, of which a busy machine may tell late.
            let begun = ContinuousClock.now
            if afterRequest {
                try await connection.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try await connection.answer().status == 200)
            }
            try await connection.ends()
            #expect(ContinuousClock.now - begun >= .seconds(5.9))
            #expect(!connection.hasNews)
        }
    }

    @Test("A head that drips in for ever is given up after idle_timeout")
    func slowHead() async throws {
        try await rudely { connection in
            try await connection.send("GET /health/live HTTP/1.1\r\n")
            let drip = Task {
                while !Task.isCancelled {
                    try await connection.send("A: b\r\n")
                    try await Task.sleep(for: .milliseconds(200))
                }
            }
            defer { drip.cancel() }
            try await connection.ends()
        }
    }

    // MARK: Forms

    private static let part = "--\(ByteBuffer.boundary)\r\nContent-Disposition: form-data; name=\"file\"\r\n"

    @Test(
        "A form that is none is a malformed upload",
        arguments: [
            "\(part)\r\nno end",
            "\(part)",
            "no form at all",
            "--\(ByteBuffer.boundary)\r\nContent-Type: image/png\r\n\r\nnameless\r\n--\(ByteBuffer.boundary)--\r\n",
            "--\(ByteBuffer.boundary)--\r\n",
        ]
    )
    func brokenForm(body: String) async throws {
        let server = try RunningServer.shared
        let answer = try await server.post(
            RunningServer.path(of: "blocks-v8"),
            ByteBuffer(string: body),
            contentType: "multipart/form-data; boundary=\(ByteBuffer.boundary)"
        )
        expectProblem(answer, 400, "malformed_upload")
    }

    @Test("A form without a boundary is a malformed upload")
    func noBoundary() async throws {
        let answer = try await RunningServer.shared.post(
            RunningServer.path(of: "blocks-v8"),
            ByteBuffer(string: "--\r\n"),
            contentType: "multipart/form-data"
        )
        expectProblem(answer, 400, "malformed_upload")
    }

    @Test("A form of 70 parts is too much")
    func manyParts() async throws {
        let parts = (0..<70).map { FormPart.field("field\($0)", "x") }
        let answer = try await RunningServer.shared.post(RunningServer.path(of: "blocks-v8"), form: parts)
        expectProblem(answer, 413, "upload_too_large")
    }

    @Test("An empty body is a malformed upload")
    func emptyBody() async throws {
        let answer = try await RunningServer.shared.predict(ByteBuffer())
        expectProblem(answer, 400, "malformed_upload")
    }
}

extension String {
    fileprivate static func kibibytes(_ count: Int) -> String { String(repeating: "a", count: count << 10) }
}

extension RawConnection {
    /// Sends texts as the chunks of a body, and its end.
    fileprivate func send(chunks: [String]) async throws {
        for chunk in chunks where !chunk.isEmpty {
            try await send("\(String(chunk.utf8.count, radix: 16))\r\n\(chunk)\r\n")
        }
        try await send("0\r\n\r\n")
    }
}
