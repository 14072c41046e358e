// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// Lets bytes through to the parser only as far as requests are wanted, and reads no more from the socket while bytes are held.
final class HTTP1Gate: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// The most bytes that are held. Only a client that has closed its side gets there: what it has sent before is read to the
    /// end whether or not it is asked for.
    private static let mostHeldBytes = 256 << 10

    /// Says how many bytes are wanted.
    var appetite: () -> HTTP1Lifetime.Appetite = { .bytes(.max) }
    /// Called before bytes go through.
    var passing: () -> Void = {}
    /// Called when the client has closed its side, which may be long before the requests are through that it sent before.
    var clientLeft: () -> Void = {}

    private var context: ChannelHandlerContext?
    private var held = CircularBuffer<ByteBuffer>()
    private var heldBytes = 0
    private var isPumping = false
    private var readIsPending = false
    private var closeIsPending = false
    private var discards = false

    /// Whether bytes have come that are not through.
    var isHolding: Bool { !held.isEmpty }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        held.removeAll()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard !discards, heldBytes <= Self.mostHeldBytes else { return }
        held.append(bytes)
        heldBytes += bytes.readableBytes
        pump(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // Nobody above asks for what is only forgotten.
        if discards { context.read() }
    }

    func read(context: ChannelHandlerContext) {
        if held.isEmpty { context.read() } else { readIsPending = true }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent, !held.isEmpty {
            closeIsPending = true
            clientLeft()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// More may be wanted than before.
    func resume() {
        guard let context, !isPumping else { return }
        let hadBytes = !held.isEmpty
        pump(context)
        if hadBytes { context.fireChannelReadComplete() }
        guard held.isEmpty else { return }
        if closeIsPending {
            closeIsPending = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if readIsPending || discards {
            readIsPending = false
            context.read()
        }
    }

    private func pump(_ context: ChannelHandlerContext) {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while var bytes = held.first {
            switch appetite() {
            case .none:
                return
            case .discard:
                discards = true
                held.removeAll()
                heldBytes = 0
            case .bytes(let most):
                let length = min(most, bytes.readableBytes)
                guard let slice = bytes.readSlice(length: length) else { return }
                heldBytes -= length
                if bytes.readableBytes == 0 { held.removeFirst() } else { held[held.startIndex] = bytes }
                passing()
                context.fireChannelRead(wrapInboundOut(slice))
            }
        }
        if appetite() == .discard { discards = true }
    }
}
