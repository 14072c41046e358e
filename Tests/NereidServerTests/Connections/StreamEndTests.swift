// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import NIOHTTPTypesHTTP2
import Synchronization
import Testing

@testable import NereidServer

@Suite("The end of a stream")
struct StreamEndTests {
    private let loop = EmbeddedEventLoop()
    private let resets = Resets()
    private let channel: EmbeddedChannel

    init() throws {
        channel = EmbeddedChannel(loop: loop)
        try channel.pipeline.syncOperations.addHandlers([resets, StreamEnd(idleTimeout: .seconds(10))])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        let request = HTTPRequest(method: .post, scheme: "https", authority: "localhost", path: "/")
        try channel.writeInbound(HTTPRequestPart.head(request))
    }

    private func answer(_ parts: HTTPResponsePart...) throws {
        for part in parts { try channel.writeOutbound(part) }
    }

    private static let head = HTTPResponsePart.head(
        HTTPResponse(status: .badRequest, headerFields: [.connection: "close", .server: "Nereid"])
    )

    @Test("takes what is forbidden in HTTP/2 out of an answer, and nothing else")
    func connectionField() throws {
        try answer(Self.head)
        guard case .head(let head) = try channel.readOutbound(as: HTTPResponsePart.self) else {
            Issue.record("no head")
            return
        }
        #expect(head.headerFields == [.server: "Nereid"])
    }

    @Test("asks a client that is still sending to stop, two seconds after the answer")
    func farewell() throws {
        try answer(Self.head, .end(nil))
        loop.advanceTime(by: .milliseconds(1999))
        #expect(resets.count == 0)
        loop.advanceTime(by: .milliseconds(1))
        #expect(resets.count == 1)
        loop.advanceTime(by: .seconds(60))
        #expect(resets.count == 1)
    }

    @Test("asks nothing of a client that has sent all")
    func complete() throws {
        try channel.writeInbound(HTTPRequestPart.end(nil))
        try answer(Self.head, .end(nil))
        loop.advanceTime(by: .seconds(60))
        #expect(resets.count == 0)
        #expect(channel.isActive)
    }

    @Test("asks nothing on a stream that is closed")
    func closed() throws {
        try answer(Self.head, .end(nil))
        try channel.close().wait()
        loop.advanceTime(by: .seconds(60))
        #expect(resets.count == 0)
    }

    @Test("comes when nothing of an answer gets through for idle_timeout, in the middle of it too")
    func stall() throws {
        try answer(Self.head)
        // What is not flushed stands for what the client does not let through.
        channel.write(HTTPResponsePart.body(ByteBuffer(string: "x")), promise: nil)
        loop.advanceTime(by: .seconds(9))
        channel.write(HTTPResponsePart.body(ByteBuffer(string: "y")), promise: nil)
        #expect(channel.isActive)
        loop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test("does not come while an answer gets through, however long it takes")
    func progress() throws {
        try answer(Self.head)
        for _ in 0..<10 {
            channel.write(HTTPResponsePart.body(ByteBuffer(string: "x")), promise: nil)
            loop.advanceTime(by: .seconds(9))
            channel.flush()
            // Nothing to send is not the client's fault.
            loop.advanceTime(by: .seconds(30))
        }
        #expect(channel.isActive)
    }
}

/// Counts the resets that are asked for.
private final class Resets: ChannelOutboundHandler, RemovableChannelHandler, Sendable {
    typealias OutboundIn = HTTPResponsePart

    private let seen = Mutex(0)

    var count: Int { seen.withLock { $0 } }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        if event as? NIOHTTP2FramePayloadToHTTPEvent == .reset(code: .noError) { seen.withLock { $0 += 1 } }
        promise?.succeed()
    }
}
