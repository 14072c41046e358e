// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import NIOCore
import NIOHTTP1
import NereidJobs

/// Leads a connection of HTTP/1 by the rules of ``HTTP1Lifetime``: one request after the other, answers framed as the request's
/// version wants it, and an end that loses no answer.
final class HTTP1Conversation: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// How long a connection waits.
    struct Times {
        /// For a request, for more of it, or for the client to read.
        var idle: TimeAmount
        /// For a client that goes on sending what nobody reads, so that it comes to reading the answer.
        var lingering = TimeAmount.seconds(2)
        /// For a request that is on its way when the server stops.
        var grace = TimeAmount.seconds(1)
    }

    /// What came and waits for an answer to be given first.
    fileprivate enum Pending {
        case part(HTTPServerRequestPart)
        case garbage(any Error)
        case inputClosed
    }

    private let eventLoop: any EventLoop
    private let connection: ClientConnection
    private let times: Times
    private let gate: HTTP1Gate
    private var lifetime = HTTP1Lifetime()
    private var framing = HTTP1Lifetime.Framing()
    private var pending = CircularBuffer<Pending>()
    private var waiting = HTTP1Lifetime.Waiting.request
    private var waitingSince: NIODeadline
    private var context: ChannelHandlerContext?
    private var alarm: PatientAlarm?
    private var sending: SendingWatch?

    /// - Parameters:
    ///   - connection: is told of every request.
    ///   - gate: what lets bytes through to the parser below this handler.
    init(eventLoop: any EventLoop, connection: ClientConnection, times: Times, gate: HTTP1Gate) {
        self.eventLoop = eventLoop
        self.connection = connection
        self.times = times
        self.gate = gate
        waitingSince = eventLoop.now
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        alarm = PatientAlarm(on: eventLoop) { [weak self] in self?.isOverdue() }
        sending = SendingWatch(on: eventLoop, limit: times.idle) { [weak self] in
            self?.context?.close(promise: nil)
        }
        gate.appetite = { [weak self] in self?.lifetime.appetite ?? .discard }
        gate.passing = { [weak self] in self?.bytesPass() }
        gate.clientLeft = { [weak self] in self?.connection.leaving.come() }
        setAlarm()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        alarm?.cancel()
        sending?.cancel()
        self.context = nil
        pending.removeAll()
    }

    func channelInactive(context: ChannelHandlerContext) {
        alarm?.cancel()
        sending?.cancel()
        pending.removeAll()
        context.fireChannelInactive()
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        take(.part(unwrapInboundIn(data)), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Only what the client has sent is in turn with what it has sent before.
        if error is HTTPParserError { take(.garbage(error), context) } else { context.fireErrorCaught(error) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent:
            lifetime.quiesce()
            setAlarm()
        case is ConnectionEviction:
            if lifetime.isIdle { context.close(promise: nil) }
        default:
            if case .some(.inputClosed) = event as? ChannelEvent {
                if !pending.isEmpty { connection.leaving.come() }
                take(.inputClosed, context)
            } else {
                context.fireUserInboundEventTriggered(event)
            }
        }
    }

    private func take(_ event: Pending, _ context: ChannelHandlerContext) {
        let comesFirst = pending.isEmpty && (lifetime.waiting != .answer || event.isInputClosed)
        if comesFirst { deliver(event, context) } else { pending.append(event) }
    }

    private func deliver(_ event: Pending, _ context: ChannelHandlerContext) {
        guard lifetime.waiting != .end else {
            // The answer is sent, and the client has heard that it was the last.
            if event.isInputClosed { context.close(promise: nil) }
            return
        }
        switch event {
        case .part(.head(let head)):
            lifetime.received(HTTP1Lifetime.Request(head))
            connection.begins(.init(head))
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .part(.body(let bytes)):
            lifetime.receivedBody(bytes.readableBytes)
            if lifetime.waiting == .body { alarm?.set(in: times.idle) }
            context.fireChannelRead(wrapInboundOut(.body(bytes)))
        case .part(.end(let trailers)):
            lifetime.receivedEnd()
            context.fireChannelRead(wrapInboundOut(.end(trailers)))
        case .garbage(let error):
            lifetime.receivedGarbage()
            context.fireErrorCaught(error)
        case .inputClosed:
            lifetime.inputClosed()
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        noteWaiting()
    }

    private func bytesPass() {
        lifetime.headBegins()
        noteWaiting()
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.isInformational:
            // HTTP/1.0 knows none (RFC 9110, 15.2).
            if connection.request.isHTTP10 { promise?.succeed() } else { send(.head(head), promise, context) }
        case .head(let head):
            send(.head(framed(head)), promise, context)
        case .body(let body):
            sendBody(body, promise, context)
        case .end(let trailers):
            sendEnd(framing.isChunked ? trailers : nil, promise, context)
        }
    }

    private func framed(_ answer: HTTPResponseHead) -> HTTPResponseHead {
        var head = answer
        let mayHaveBody = head.status.mayHaveResponseBody
        let mustEnd = connection.stopping.hasCome || connection.isReserved
        framing = lifetime.answers(
            mayHaveBody: mayHaveBody,
            hasLength: head.headers.contains(name: "content-length"),
            closes: mustEnd || ConnectionOptions(head.headers["connection"]).closes
        )
        head.version = framing.isHTTP10 ? .http1_0 : .http1_1
        head.headers.remove(name: "transfer-encoding")
        if !mayHaveBody { head.headers.remove(name: "content-length") }
        if framing.isChunked { head.headers.add(name: "Transfer-Encoding", value: "chunked") }
        head.headers.remove(name: "connection")
        if let word = framing.connection { head.headers.add(name: "Connection", value: word) }
        return head
    }

    private func sendBody(_ body: IOData, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        guard framing.hasBody else {
            promise?.succeed()
            return
        }
        guard case .byteBuffer(let bytes) = body else { return send(.body(body), promise, context) }
        let slices = SendingWatch.slices(of: bytes)
        for slice in slices.dropLast() { send(.body(.byteBuffer(slice)), nil, context) }
        send(.body(.byteBuffer(slices[slices.count - 1])), promise, context)
    }

    private func sendEnd(
        _ trailers: HTTPHeaders?,
        _ promise: EventLoopPromise<Void>?,
        _ context: ChannelHandlerContext
    ) {
        let sequel = lifetime.answered()
        if sequel == .close {
            let sent = promise ?? eventLoop.makePromise(of: Void.self)
            send(.end(trailers), sent, context)
            pending.removeAll()
            gate.resume()
            alarm?.stop()
            sent.futureResult.assumeIsolated().whenComplete { _ in self.takeLeave() }
        } else {
            send(.end(trailers), promise, context)
            deliverPending(context)
            noteWaiting()
            gate.resume()
        }
    }

    private func send(
        _ part: HTTPServerResponsePart,
        _ promise: EventLoopPromise<Void>?,
        _ context: ChannelHandlerContext
    ) {
        let sent = sending?.write(promise: promise, on: eventLoop) ?? promise
        context.write(wrapOutboundOut(part), promise: sent)
    }

    private func deliverPending(_ context: ChannelHandlerContext) {
        var hasDelivered = false
        while let first = pending.first, lifetime.waiting != .answer || first.isInputClosed {
            pending.removeFirst()
            deliver(first, context)
            hasDelivered = true
        }
        if hasDelivered { context.fireChannelReadComplete() }
    }

    /// Closes the server's side; the client's stays for a while: closing both at once would reset the connection under a client
    /// that is still sending, its answer unread (RFC 9112, 9.6).
    private func takeLeave() {
        guard let context, context.channel.isActive else { return }
        context.close(mode: .output, promise: nil)
        alarm?.set(in: times.lingering)
    }

    // MARK: Time

    /// Sets the alarm anew if the connection waits for something else than before.
    private func noteWaiting() {
        guard lifetime.waiting != waiting else { return }
        waiting = lifetime.waiting
        waitingSince = eventLoop.now
        if waiting == .request { connection.rests() }
        setAlarm()
    }

    private func setAlarm() {
        switch lifetime.waiting {
        case .answer:
            alarm?.stop()
        case .request, .head, .rest:
            let grace = max(.nanoseconds(0), waitingSince + times.grace - eventLoop.now)
            alarm?.set(in: lifetime.isQuiescing ? grace : times.idle)
        case .body:
            alarm?.set(in: times.idle)
        case .end:
            // Set when the answer is sent.
            break
        }
    }

    private func isOverdue() { context?.close(promise: nil) }
}

extension HTTP1Conversation.Pending {
    fileprivate var isInputClosed: Bool {
        if case .inputClosed = self { true } else { false }
    }
}

extension HTTPResponseStatus {
    fileprivate var isInformational: Bool { code < 200 }
}

extension HTTP1Lifetime.Request {
    /// What a head says. Its length was checked by the parser.
    init(_ head: HTTPRequestHead) {
        isHEAD = head.method == .HEAD
        isHTTP10 = head.version.isOld
        persists = ConnectionOptions(head.headers["connection"]).persists(isHTTP10: isHTTP10)
        if head.headers.contains(name: "transfer-encoding") {
            bodyBytes = nil
        } else {
            bodyBytes = head.headers.first(name: "content-length").map { Int($0) ?? 0 } ?? 0
        }
    }
}
