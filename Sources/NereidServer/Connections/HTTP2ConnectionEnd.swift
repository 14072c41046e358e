// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOHTTP2

/// Ends a connection of HTTP/2 when it is idle, or when the server is told to stop.
final class HTTP2ConnectionEnd: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame
    typealias OutboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// How long a client may take to say that it has read the warning.
    private static let patience = TimeAmount.seconds(1)

    private let eventLoop: any EventLoop
    private let connection: ClientConnection
    private let idleTimeout: TimeAmount
    private let ping = HTTP2PingData(withInteger: .random(in: .min ... .max))
    private var lifetime = HTTP2Lifetime()
    private var context: ChannelHandlerContext?
    private var alarm: Scheduled<Void>?
    private var number: Int?

    /// - Parameters:
    ///   - connection: is told whether there are streams.
    ///   - idleTimeout: how long a connection may be without a stream.
    init(eventLoop: any EventLoop, connection: ClientConnection, idleTimeout: TimeAmount) {
        self.eventLoop = eventLoop
        self.connection = connection
        self.idleTimeout = idleTimeout
    }

    /// Tells the handler of streams.
    struct Delegate: NIOHTTP2StreamDelegate {
        let handler: NIOLoopBound<HTTP2ConnectionEnd>

        func streamCreated(_ id: HTTP2StreamID, channel: any Channel) { handler.value.opened(Int(id)) }

        func streamClosed(_ id: HTTP2StreamID, channel: any Channel) { handler.value.closed() }
    }

    var delegate: Delegate { Delegate(handler: NIOLoopBound(self, eventLoop: eventLoop)) }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        perform(.awaitStreams)
        let (eventLoop, handler) = (eventLoop, NIOLoopBound(self, eventLoop: eventLoop))
        number = connection.stopping.whenItComes {
            eventLoop.execute { handler.value.stop() }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        alarm?.cancel()
        if let number { connection.stopping.forget(number) }
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .ping(ping, ack: true) = unwrapInboundIn(data).payload { perform(lifetime.warned()) }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { perform(lifetime.end()) }
        if event is ConnectionEviction { perform(lifetime.idled()) }
        // A client that sends no more does not read either.
        if case .some(.inputClosed) = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A stream that is at fault was reset; the others go on. NIOHTTP2 tells of a body of a wrong length without its stream.
        let endsStreamOnly = error is NIOHTTP2Errors.StreamError || error is NIOHTTP2Errors.ContentLengthViolated
        if !endsStreamOnly { context.close(promise: nil) }
    }

    private func stop() { perform(lifetime.stop()) }

    private func opened(_ stream: Int) {
        if lifetime.isIdle {
            connection.begins()
            alarm?.cancel()
        }
        let action = lifetime.opened(stream)
        guard action != .nothing else { return }
        // The stream's first frame is being read.
        eventLoop.assumeIsolated().execute { self.perform(action) }
    }

    private func closed() {
        let action = lifetime.closed()
        if lifetime.isIdle { connection.rests() }
        perform(action)
    }

    private func perform(_ action: HTTP2Lifetime.Action) {
        guard let context else { return }
        switch action {
        case .nothing:
            break
        case .awaitStreams:
            setAlarm(in: idleTimeout) { self.perform(self.lifetime.idled()) }
        case .warn:
            write(.goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil))
            write(.ping(ping, ack: false))
            context.flush()
            setAlarm(in: Self.patience) { self.perform(self.lifetime.warned()) }
        case .refuse(let last, let closes):
            write(.goAway(lastStreamID: HTTP2StreamID(last), errorCode: .noError, opaqueData: nil))
            context.flush()
            if closes { context.close(promise: nil) }
        case .close:
            // The stream's last frame is written but not yet flushed when its end is told.
            eventLoop.assumeIsolated().execute { context.close(promise: nil) }
        }
    }

    private func write(_ payload: HTTP2Frame.FramePayload) {
        context?.write(wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: payload)), promise: nil)
    }

    private func setAlarm(in time: TimeAmount, _ action: @escaping () -> Void) {
        alarm?.cancel()
        alarm = eventLoop.assumeIsolated().scheduleTask(in: time, action)
    }
}
