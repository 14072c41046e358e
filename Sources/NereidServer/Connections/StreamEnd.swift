// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import NIOCore
import NIOHTTPTypes
import NIOHTTPTypesHTTP2

/// Ends a stream of HTTP/2 that its client would keep open: after an answer that comes before the request's end, and when
/// the client does not let the answer through.
final class StreamEnd: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// How long a client may go on sending what nobody reads, so that it comes to reading the answer.
    private static let lingering = TimeAmount.seconds(2)

    private let idleTimeout: TimeAmount
    private var requestIsComplete = false
    private var unsent = 0
    private var stall: Scheduled<Void>?
    private var farewell: Scheduled<Void>?

    /// - Parameter idleTimeout: how long nothing of an answer may get through before it is given up.
    init(idleTimeout: TimeAmount) {
        self.idleTimeout = idleTimeout
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        stall?.cancel()
        farewell?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) { requestIsComplete = true }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var part = unwrapOutboundIn(data)
        if case .head(var head) = part {
            // A stream ends with its answer; the field is forbidden here (RFC 9113, 8.2.2).
            head.headerFields[.connection] = nil
            part = .head(head)
        }
        let sent = context.eventLoop.makePromise(of: Void.self)
        if let promise { sent.futureResult.cascade(to: promise) }
        unsent += 1
        watchSending(context)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            self.unsent -= 1
            self.watchSending(context, afterProgress: true)
        }
        context.write(wrapOutboundOut(part), promise: sent)
        if case .end = part, !requestIsComplete { takeLeave(context) }
    }

    /// Asks the client to stop sending, after it had time to do so by itself (RFC 9113, 8.1).
    private func takeLeave(_ context: ChannelHandlerContext) {
        farewell = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) {
            guard context.channel.isActive else { return }
            context.triggerUserOutboundEvent(NIOHTTP2FramePayloadToHTTPEvent.reset(code: .noError), promise: nil)
        }
    }

    private func watchSending(_ context: ChannelHandlerContext, afterProgress: Bool = false) {
        if afterProgress {
            stall?.cancel()
            stall = nil
        }
        guard unsent > 0, stall == nil else { return }
        stall = context.eventLoop.assumeIsolated().scheduleTask(in: idleTimeout) {
            guard context.channel.isActive else { return }
            context.close(promise: nil)
        }
    }
}
