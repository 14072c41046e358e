// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL

/// A client that says, over TLS or below it, whatever a test likes: frames of HTTP/2, or bytes.
final class FrameClient {
    /// What it says.
    enum Language {
        /// Frames; the client answers settings and pings as it should.
        case frames([HTTP2Setting] = [])
        /// Bytes over TLS, after agreeing on a protocol.
        case bytes(over: String)
        /// Bytes without TLS.
        case plain
    }

    enum Event: Sendable {
        case frame(HTTP2Frame)
        case bytes(ByteBuffer)
        case closed
    }

    private let channel: any Channel
    private var events: AsyncStream<Event>.Iterator

    private init(channel: any Channel, events: AsyncStream<Event>) {
        self.channel = channel
        self.events = events.makeAsyncIterator()
    }

    /// Connects, runs the body, and closes.
    static func with(
        _ server: SecureServer,
        _ language: Language = .frames(),
        host: String = "localhost",
        newest: TLSVersion = .tlsv13,
        _ body: (FrameClient) async throws -> Void
    ) async throws {
        let (stream, events) = AsyncStream<Event>.makeStream()
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(server.authority.certificate)
        configuration.minimumTLSVersion = .tlsv1
        configuration.maximumTLSVersion = newest
        if case .bytes(let name) = language {
            configuration.applicationProtocols = [name]
        } else {
            configuration.applicationProtocols = ["h2"]
        }
        let context = try NIOSSLContext(configuration: configuration)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if case .plain = language {
                        try pipeline.addHandler(ByteListener(events: events))
                        return
                    }
                    try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: host))
                    if case .frames(let settings) = language {
                        // Wrong lengths are for the server to notice.
                        try pipeline.addHandler(
                            NIOHTTP2Handler(
                                mode: .client,
                                initialSettings: settings,
                                contentLengthValidation: .disabled
                            )
                        )
                        try pipeline.addHandler(FrameListener(events: events))
                    } else {
                        try pipeline.addHandler(ByteListener(events: events))
                    }
                }
            }
            .connect(host: "127.0.0.1", port: server.port).get()
        let client = FrameClient(channel: channel, events: stream)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(client))
        } catch {
            result = .failure(error)
        }
        // The only error is that the server has closed it already.
        try? await channel.close()
        try result.get()
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    func send(_ payload: HTTP2Frame.FramePayload, on stream: HTTP2StreamID) async throws {
        try await channel.writeAndFlush(HTTP2Frame(streamID: stream, payload: payload))
    }

    /// Sends the head of a request.
    func request(
        _ method: String,
        _ path: String,
        _ fields: [(String, String)] = [],
        on stream: HTTP2StreamID,
        ends: Bool
    ) async throws {
        let pseudo = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost")]
        try await send(.headers(.init(headers: HPACKHeaders(pseudo + fields), endStream: ends)), on: stream)
    }

    func data(_ bytes: ByteBuffer, on stream: HTTP2StreamID, ends: Bool) async throws {
        try await send(.data(.init(data: .byteBuffer(bytes), endStream: ends)), on: stream)
    }

    /// Leaves without a word.
    func leave() async throws { try await channel.close() }

    /// The next event that is wanted; those before it are passed over.
    ///
    /// - Returns: `nil` when the connection is closed before.
    func next<Value>(_ wanted: (Event) -> Value?) async -> Value? {
        while let event = await events.next() {
            if let value = wanted(event) { return value }
            if case .closed = event { return nil }
        }
        return nil
    }

    /// Waits until the server closes the connection.
    func closed() async { _ = await next { _ in nil as Void? } }

    /// What a stream was answered.
    struct Answer {
        var headers: HPACKHeaders
        var body = ByteBuffer()
        /// The code that the stream was reset with before its answer was whole.
        var reset: HTTP2ErrorCode?

        var status: String? { headers.first(name: ":status") }
    }

    /// Waits for the whole answer on a stream.
    func answer(on stream: HTTP2StreamID) async -> Answer? {
        var answer = Answer(headers: [:])
        return await next { event in
            guard case .frame(let frame) = event, frame.streamID == stream else { return nil }
            switch frame.payload {
            case .headers(let headers):
                answer.headers = headers.headers
                return headers.endStream ? answer : nil
            case .data(let data):
                if case .byteBuffer(let bytes) = data.data { answer.body.writeImmutableBuffer(bytes) }
                return data.endStream ? answer : nil
            case .rstStream(let code):
                answer.reset = code
                return answer
            default:
                return nil
            }
        }
    }

    /// Waits until the server resets a stream.
    func reset(of stream: HTTP2StreamID) async -> HTTP2ErrorCode? {
        await next { event in
            guard case .frame(let frame) = event, frame.streamID == stream, case .rstStream(let code) = frame.payload
            else { return nil }
            return code
        }
    }
}

private final class FrameListener: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTP2Frame

    private let events: AsyncStream<FrameClient.Event>.Continuation

    init(events: AsyncStream<FrameClient.Event>.Continuation) { self.events = events }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { events.yield(.frame(unwrapInboundIn(data))) }

    func channelInactive(context: ChannelHandlerContext) { events.yield(.closed) }
}

private final class ByteListener: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private let events: AsyncStream<FrameClient.Event>.Continuation

    init(events: AsyncStream<FrameClient.Event>.Continuation) { self.events = events }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { events.yield(.bytes(unwrapInboundIn(data))) }

    func channelInactive(context: ChannelHandlerContext) { events.yield(.closed) }
}
