// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging
import NIOCore
import NIOPosix
import NereidJobs
import ServiceLifecycle
import Synchronization

@testable import NereidServer

/// A server without TLS on a free port.
struct PlainServer: Sendable {
    let port: Int
    /// Tells it to stop, as a signal would.
    let stop: @Sendable () async -> Void
    /// Returns when it has ended.
    let ended: @Sendable () async throws -> Void

    /// Runs a server while the body runs.
    static func with(
        queue: (any JobQueue)? = nil,
        jobs: (any BulkJobStore)? = nil,
        _ configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (PlainServer) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream<Int>.makeStream()
        let server = try await TestServer(queue: queue, jobs: jobs, ports: port) {
            $0.shutdownDelay = .zero
            configure(&$0)
        }
        let group = ServiceGroup(services: [server.server], logger: TestServer.logger)
        let running = Task { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        let plain = PlainServer(
            port: await iterator.next() ?? 0,
            stop: { await group.triggerGracefulShutdown() },
            ended: { try await running.value }
        )
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(plain))
        } catch {
            result = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await running.value
        try result.get()
    }

    /// Waits until connections are refused.
    func stopsListening() async {
        while (try? await ByteClient.with(port) { _ in }) != nil {}
    }

    /// All that the server says to some bytes until it closes the connection.
    func says(to text: String) async throws -> String {
        try await ByteClient.with(port) { client in
            try await client.send(text)
            return await client.everything()
        }
    }

    /// The status line of the answer to a request that is the only one on its connection.
    func status(of request: String, host: String = "localhost") async throws -> String {
        let answer = try await says(to: "\(request) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
        return String(answer.prefix { $0 != "\r\n" })
    }
}

/// A client that says whatever a test likes, without TLS.
final class ByteClient: Sendable {
    private let channel: any Channel
    private let received: AsyncStream<ByteBuffer>

    private init(channel: any Channel, received: AsyncStream<ByteBuffer>) {
        (self.channel, self.received) = (channel, received)
    }

    /// Connects, runs the body, and closes.
    ///
    /// - Parameter reads: whether it reads what it is sent.
    static func with<Value>(
        _ port: Int,
        reads: Bool = true,
        _ body: (ByteClient) async throws -> Value
    ) async throws -> Value {
        let (received, bytes) = AsyncStream<ByteBuffer>.makeStream()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: reads)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.socketOption(.so_rcvbuf), value: reads ? 1 << 20 : 4096)
            .channelInitializer { $0.pipeline.addHandler(Listener(bytes: bytes)) }
            .connect(host: "127.0.0.1", port: port).get()
        let client = ByteClient(channel: channel, received: received)
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(client))
        } catch {
            result = .failure(error)
        }
        // The only error is that the server has closed it already.
        try? await channel.close()
        return try result.get()
    }

    func send(_ text: String) async throws { try await send(ByteBuffer(string: text)) }

    func send(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes) }

    /// Sends as far as the server takes it.
    func begin(_ text: String) { channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }

    /// What the server says until it says some words, or closes its side.
    func everything(until words: String? = nil) async -> String {
        var text = ""
        for await bytes in received {
            text += String(buffer: bytes)
            if let words, text.contains(words) { break }
        }
        return text
    }

    /// Waits until the connection has ended, whatever it was.
    func closed() async throws { try await channel.closeFuture.get() }

    private final class Listener: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        private let bytes: AsyncStream<ByteBuffer>.Continuation

        init(bytes: AsyncStream<ByteBuffer>.Continuation) { self.bytes = bytes }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { bytes.yield(unwrapInboundIn(data)) }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .some(.inputClosed) = event as? ChannelEvent { bytes.finish() }
        }

        func channelInactive(context: ChannelHandlerContext) { bytes.finish() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
