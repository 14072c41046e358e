// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOPosix
import Synchronization

/// A connection on which a test may say whatever it likes.
final class RawConnection: Sendable {
    private let channel: any Channel
    private let inbox: Inbox

    private init(channel: any Channel, inbox: Inbox) {
        (self.channel, self.inbox) = (channel, inbox)
    }

    /// Opens a connection, and closes it when the body is done.
    static func with<Value>(
        _ server: RunningServer,
        _ body: (RawConnection) async throws -> Value
    ) async throws -> Value {
        let connection = try await open(to: server)
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(connection))
        } catch {
            result = .failure(error)
        }
        await connection.close()
        return try result.get()
    }

    /// Opens a connection that the caller closes.
    static func open(to server: RunningServer) async throws -> RawConnection {
        let inbox = Inbox()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { $0.pipeline.addHandler(inbox) }
            .connect(host: "127.0.0.1", port: server.port).get()
        return RawConnection(channel: channel, inbox: inbox)
    }

    func send(_ bytes: ByteBuffer) async throws {
        try await channel.writeAndFlush(bytes)
    }

    func send(_ text: String) async throws {
        try await send(ByteBuffer(string: text))
    }

    /// Sends a whole request.
    func post(_ path: String, _ body: ByteBuffer) async throws {
        try await send(.request("Content-Length: \(body.readableBytes)", path: path))
        try await send(body)
    }

    /// Says that nothing more will come, and goes on listening.
    func finishSending() async throws {
        try await channel.close(mode: .output)
    }

    /// Leaves without a word.
    func close() async {
        // The only error is that the server has closed it already.
        try? await channel.close()
    }

    /// Waits for the next answer, and takes it.
    func answer(within limit: Duration = .seconds(15)) async throws -> Answer {
        try await eventually("an answer", within: limit) { inbox.takeAnswer() }
    }

    /// Waits for the next answer, and takes it; `nil` when the connection ends without one.
    func answerIfAny() async throws -> Answer? {
        let answer: Answer?? = try await eventually("an answer or the end") {
            let hasEnded = hasEnded
            if let answer = inbox.takeAnswer() { return .some(answer) }
            return hasEnded ? .some(nil) : nil
        }
        return answer ?? nil
    }

    /// Waits until the server closes the connection.
    func ends(within limit: Duration = .seconds(15)) async throws {
        try await eventually("the connection to be closed", within: limit) { hasEnded.orNil }
    }

    /// Whether the server has closed the connection.
    var hasEnded: Bool { inbox.hasEnded }

    /// Whether something has come that was not taken.
    var hasNews: Bool { inbox.hasBytes }
}

/// Keeps what comes in until somebody asks.
private final class Inbox: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private struct State {
        var bytes = ByteBuffer()
        var hasEnded = false
    }

    private let state = Mutex(State())

    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    var hasBytes: Bool { state.withLock { $0.bytes.readableBytes > 0 } }

    func takeAnswer() -> Answer? { state.withLock { $0.bytes.readAnswer() } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        state.withLock { _ = $0.bytes.writeImmutableBuffer(unwrapInboundIn(data)) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { state.withLock { $0.hasEnded = true } }
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.withLock { $0.hasEnded = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        state.withLock { $0.hasEnded = true }
        context.close(promise: nil)
    }
}

extension ByteBuffer {
    /// The head of a request.
    static func request(_ headers: String..., path: String = RunningServer.path(of: "blocks-v8")) -> ByteBuffer {
        let lines = ["POST \(path) HTTP/1.1", "Host: localhost"] + headers
        return ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n")
    }

    /// Reads an HTTP/1.1 answer with a `Content-Length`, or without content; nil when it is not all there.
    fileprivate mutating func readAnswer() -> Answer? {
        let text = String(buffer: self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let head = text[..<end.lowerBound]
        let lines = head.split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        let bodyLength = headers["content-length"].flatMap(Int.init) ?? 0
        guard readableBytes >= head.utf8.count + 4 + bodyLength else { return nil }
        moveReaderIndex(forwardBy: head.utf8.count + 4)
        return readSlice(length: bodyLength).map { Answer(status: status, headers: headers, body: $0) }
    }
}
