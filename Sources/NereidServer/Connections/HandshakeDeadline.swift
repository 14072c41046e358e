// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOTLS

/// Closes a connection that has not shaken hands in time, or when the server is told to stop meanwhile.
///
/// It stands behind TLS, and goes when hands are shaken. The time is for the whole handshake: bytes that drip in do not
/// prolong it.
final class HandshakeDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let limit: TimeAmount
    private var alarm: Scheduled<Void>?

    init(_ limit: TimeAmount) {
        self.limit = limit
    }

    func handlerAdded(context: ChannelHandlerContext) {
        alarm = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        alarm?.cancel()
        alarm = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        if case .some(.handshakeCompleted) = event as? TLSUserEvent {
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } else if event is ChannelShouldQuiesceEvent || event is ConnectionEviction {
            context.close(promise: nil)
        }
    }
}
