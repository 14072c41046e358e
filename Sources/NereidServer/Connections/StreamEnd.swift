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
    private var sending: SendingWatch?
    private var farewell: Scheduled<Void>?

    /// - Parameter idleTimeout: how long nothing of an answer may get through before it is given up.
    init(idleTimeout: TimeAmount) {
        self.idleTimeout = idleTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        sending = SendingWatch(on: context.eventLoop, limit: idleTimeout) {
            if channel.isActive { channel.close(promise: nil) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        sending?.cancel()
        sending = nil
        farewell?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) { requestIsComplete = true }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            // A stream ends with its answer; the field is forbidden here (RFC 9113, 8.2.2).
            head.headerFields[.connection] = nil
            send(.head(head), promise, context)
        case .body(let bytes):
            let slices = SendingWatch.slices(of: bytes)
            for slice in slices.dropLast() { send(.body(slice), nil, context) }
            send(.body(slices[slices.count - 1]), promise, context)
        case .end(let trailers):
            send(.end(trailers), promise, context)
            if !requestIsComplete { takeLeave(context) }
        }
    }

    private func send(_ part: HTTPResponsePart, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        let sent = sending?.write(promise: promise, on: context.eventLoop) ?? promise
        context.write(wrapOutboundOut(part), promise: sent)
    }

    /// Asks the client to stop sending, after it had time to do so by itself (RFC 9113, 8.1).
    private func takeLeave(_ context: ChannelHandlerContext) {
        farewell = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) {
            guard context.channel.isActive else { return }
            context.triggerUserOutboundEvent(NIOHTTP2FramePayloadToHTTPEvent.reset(code: .noError), promise: nil)
        }
    }
}
