// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import NereidJobs
import Synchronization
import Testing

@testable import NereidServer

/// A connection of HTTP/1 from its bytes to its requests, without a socket and with a clock that the test turns.
@Suite("A connection of HTTP/1")
struct HTTP1ConversationTests {
    private let loop = EmbeddedEventLoop()
    private let channel: EmbeddedChannel
    private let stopping = Occasion()
    private let connection: ClientConnection
    private let reads = Reads()
    private let requests = Requests()

    init() throws {
        channel = EmbeddedChannel(loop: loop)
        connection = ClientConnection(channel, stopping: stopping, slot: nil)
        try channel.pipeline.syncOperations.addHandler(reads)
        try HTTP1Channel.addHandlers(to: channel, connection, idleTimeout: .seconds(10))
        try channel.pipeline.syncOperations.addHandler(requests)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    private func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    /// Sends a request without a body.
    private func ask(_ method: String = "GET", version: String = "1.1", _ fields: String...) throws {
        let lines = ["\(method) / HTTP/\(version)", "Host: localhost"] + fields
        try send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    }

    /// Gives an answer and returns its bytes.
    @discardableResult
    private func answer(_ body: String = "ok", hasLength: Bool = true) throws -> String {
        var head = HTTPResponse(status: .ok)
        if hasLength { head.headerFields[.contentLength] = "\(body.utf8.count)" }
        for part in [.head(head), .body(ByteBuffer(string: body)), .end(nil)] as [HTTPResponsePart] {
            try channel.writeOutbound(part)
        }
        return try sent()
    }

    private func sent() throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    // MARK: One request at a time

    @Test("lets one request through at a time, and holds bytes rather than requests, however many are pipelined")
    func pipelining() throws {
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        let count = 2000
        try send(String(repeating: request, count: count))
        #expect(requests.heads == 1)
        for number in 1..<count {
            #expect(try answer().hasPrefix("HTTP/1.1 200 OK"))
            #expect(requests.heads == number + 1)
        }
        try answer()
        #expect(requests.heads == count)
        #expect(channel.isActive)
    }

    @Test("reads no more from the socket while bytes are held")
    func backPressure() throws {
        try send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 1000))
        let before = reads.count
        channel.read()
        channel.read()
        #expect(reads.count == before)
        while requests.heads < 1000 { try answer() }
        #expect(reads.count > before)
    }

    @Test("lets a body through whole and what follows it only after the answer", arguments: [true, false])
    func body(isChunked: Bool) throws {
        let body = String(repeating: "b", count: 100_000)
        let next = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        if isChunked {
            let size = String(body.utf8.count, radix: 16)
            try send(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(size)\r\n\(body)\r\n0\r\n\r\n\(next)"
            )
        } else {
            try send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)\(next)")
        }
        #expect((requests.heads, requests.bodyBytes, requests.ends) == (1, body.utf8.count, 1))
        try answer()
        #expect((requests.heads, requests.ends) == (2, 2))
    }

    @Test("tells of garbage behind a request when that is answered")
    func garbage() throws {
        try send("GET / HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n")
        #expect((requests.heads, requests.errors) == (1, 0))
        try answer()
        #expect(requests.errors == 1)
    }

    @Test("tells at once that the client has closed its side, and answers what it has sent before")
    func closedInput() throws {
        try send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 500))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(connection.leaving.hasCome)
        while requests.heads < 500 { try answer() }
        #expect(!requests.inputIsClosed || requests.heads == 500)
        try answer()
        #expect(!channel.isActive)
    }

    // MARK: Versions and methods

    @Test("frames an answer without a length in chunks for HTTP/1.1, and by closing for HTTP/1.0")
    func framing() throws {
        try ask()
        let chunked = try answer("abc", hasLength: false)
        #expect(chunked == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        try ask(version: "1.0", "Connection: keep-alive")
        #expect(try answer("abc", hasLength: false) == "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nabc")
        #expect(!channel.isActive)
    }

    @Test("keeps a connection of HTTP/1.0 only where the client asks for it, and says so")
    func http10() throws {
        try ask(version: "1.0", "Connection: Keep-Alive")
        let kept = try answer("abc")
        #expect(kept == "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc")
        try ask(version: "1.0")
        #expect(try answer("abc").contains("Connection: close\r\n"))
        #expect(!channel.isActive)
    }

    @Test(
        "ends the connection where the client says close, in whatever words",
        arguments: ["close", "Close", "keep-alive, close", "te, CLOSE", "keep-alive\r\nConnection: close"]
    )
    func close(value: String) throws {
        try ask("GET", "Connection: \(value)")
        #expect(try answer().contains("Connection: close\r\n"))
        #expect(!channel.isActive)
    }

    @Test("answers HEAD with a head alone, whether or not its length is known", arguments: [true, false])
    func head(hasLength: Bool) throws {
        try ask("HEAD")
        let expected = "HTTP/1.1 200 OK\r\n" + (hasLength ? "Content-Length: 3\r\n" : "") + "\r\n"
        #expect(try answer("abc", hasLength: hasLength) == expected)
        #expect(channel.isActive)
        try ask()
        #expect(requests.heads == 2)
    }

    @Test("sends no interim answer to HTTP/1.0")
    func interim() throws {
        for (version, expected) in [("1.1", "HTTP/1.1 100 Continue\r\n\r\n"), ("1.0", "")] {
            try send(
                "POST / HTTP/\(version)\r\nHost: a\r\nContent-Length: 1\r\nConnection: keep-alive\r\nExpect: 100-Continue\r\n\r\n"
            )
            #expect(try sent() == expected)
            try send("x")
            try answer()
        }
    }

    @Test("sends an answer of any size as it is")
    func largeAnswer() throws {
        try ask()
        let body = String(repeating: "0123456789", count: 30_000)
        #expect(try answer(body).hasSuffix("\r\n\r\n" + body))
    }

    // MARK: Time

    @Test("is closed when no request comes for idle_timeout, after an answer too")
    func idle() throws {
        loop.advanceTime(by: .seconds(9))
        try ask()
        loop.advanceTime(by: .seconds(60))
        #expect(channel.isActive, "an answer may take longer")
        try answer()
        loop.advanceTime(by: .milliseconds(9999))
        #expect(channel.isActive)
        loop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
    }

    @Test("is closed when a head does not come whole in idle_timeout, though it drips in")
    func slowHead() throws {
        loop.advanceTime(by: .seconds(9))
        try send("GET / HTTP/1.1\r\n")
        for _ in 0..<9 {
            loop.advanceTime(by: .seconds(1))
            try send("A: b\r\n")
            #expect(channel.isActive)
        }
        loop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test("is closed when nothing of a body comes for idle_timeout")
    func slowBody() throws {
        try send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        for _ in 0..<5 {
            loop.advanceTime(by: .seconds(9))
            try send("x")
        }
        #expect(channel.isActive)
        loop.advanceTime(by: .seconds(10))
        #expect(!channel.isActive)
    }

    @Test("is closed when the rest of a request that is answered already drips in")
    func slowRest() throws {
        try send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        try answer()
        for _ in 0..<9 {
            loop.advanceTime(by: .seconds(1))
            try send("x")
            #expect(channel.isActive)
        }
        loop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test("is closed when nothing of an answer gets through for idle_timeout, and not while something does")
    func unreadAnswer() throws {
        try ask()
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        for _ in 0..<5 {
            // What is not flushed stands for what the client does not read.
            channel.write(HTTPResponsePart.body(ByteBuffer(string: "x")), promise: nil)
            loop.advanceTime(by: .seconds(9))
            channel.flush()
        }
        #expect(channel.isActive)
        channel.write(HTTPResponsePart.body(ByteBuffer(string: "x")), promise: nil)
        loop.advanceTime(by: .seconds(10))
        #expect(!channel.isActive)
    }

    // MARK: The end

    @Test("says in every answer after the signal to stop that it is the last")
    func stop() throws {
        try ask()
        stopping.come()
        #expect(try answer().contains("Connection: close\r\n"))
        #expect(!channel.isActive)
    }

    @Test("gives a request that was on its way when the listener closed its answer, as the last one")
    func grace() throws {
        try ask()
        try answer()
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        loop.advanceTime(by: .milliseconds(999))
        #expect(channel.isActive)
        try ask()
        loop.advanceTime(by: .seconds(60))
        #expect(channel.isActive)
        #expect(try answer().contains("Connection: close\r\n"))
        #expect(!channel.isActive)
    }

    @Test("is closed when the listener closed and no request came for a second")
    func quiesceWhileIdle() throws {
        loop.advanceTime(by: .milliseconds(400))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        loop.advanceTime(by: .milliseconds(599))
        #expect(channel.isActive)
        loop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
    }

    @Test("that was without a request for long is closed at once when the listener closed")
    func quiesceLater() throws {
        loop.advanceTime(by: .seconds(5))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        loop.advanceTime(by: .nanoseconds(1))
        #expect(!channel.isActive)
    }

    @Test("goes on for a second after an answer whose head could not yet say that it is the last")
    func quiesceInAnswer() throws {
        try ask()
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        loop.advanceTime(by: .seconds(60))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
        loop.advanceTime(by: .milliseconds(999))
        #expect(channel.isActive)
        loop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
    }

    @Test("gives way only without a request")
    func eviction() throws {
        try ask()
        channel.pipeline.fireUserInboundEventTriggered(ConnectionEviction())
        #expect(channel.isActive)
        try answer()
        channel.pipeline.fireUserInboundEventTriggered(ConnectionEviction())
        #expect(!channel.isActive)
    }
}

/// Counts how often more is read from the socket.
private final class Reads: ChannelOutboundHandler, RemovableChannelHandler, Sendable {
    typealias OutboundIn = NIOAny

    private let number = Mutex(0)

    var count: Int { number.withLock { $0 } }

    func read(context: ChannelHandlerContext) {
        number.withLock { $0 += 1 }
        context.read()
    }
}

/// Counts what requests are made of.
private final class Requests: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPRequestPart

    private struct Seen {
        var heads = 0
        var bodyBytes = 0
        var ends = 0
        var errors = 0
        var inputIsClosed = false
    }

    private let seen = Mutex(Seen())

    var heads: Int { seen.withLock { $0.heads } }
    var bodyBytes: Int { seen.withLock { $0.bodyBytes } }
    var ends: Int { seen.withLock { $0.ends } }
    var errors: Int { seen.withLock { $0.errors } }
    var inputIsClosed: Bool { seen.withLock { $0.inputIsClosed } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        seen.withLock { seen in
            switch part {
            case .head: seen.heads += 1
            case .body(let bytes): seen.bodyBytes += bytes.readableBytes
            case .end: seen.ends += 1
            }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { seen.withLock { $0.inputIsClosed = true } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { seen.withLock { $0.errors += 1 } }
}
