// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// A command on its way, with who waits for the reply.
struct RedisRequest: Sendable {
    /// The command in pieces, never none.
    let pieces: [ByteBuffer]
    let promise: EventLoopPromise<RedisReply>
    /// How long the reply may take.
    let patience: TimeAmount
}

/// The shell of ``RedisConnectionState`` in a channel: requests out, replies back to who waits for them.
final class RedisChannelHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = RedisRequest
    typealias OutboundOut = ByteBuffer

    private typealias State = RedisConnectionState<RedisRequest, NIODeadline>
    private var state: State
    private var reader: ReplyReader
    private let greeting: [RedisCommand]
    /// Told the reply to the last command of the greeting, or why there is none.
    private let ready: EventLoopPromise<RedisReply>
    private var reason: RedisError?
    private var alarm: Scheduled<Void>?

    init(
        address: RedisAddress,
        greeting: [RedisCommand],
        limits: ReplyLimits,
        ready: EventLoopPromise<RedisReply>
    ) throws {
        state = State(address: address.description)
        reader = try ReplyReader(limits: limits)
        self.greeting = greeting
        self.ready = ready
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { greet(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        greet(context)
        context.fireChannelActive()
    }

    private func greet(_ context: ChannelHandlerContext) {
        state.connected(greetings: greeting.count)
        for command in greeting { write(command.pieces, context) }
        context.flush()
    }

    private func write(
        _ pieces: [ByteBuffer],
        _ context: ChannelHandlerContext,
        promise: EventLoopPromise<Void>? = nil
    ) {
        for piece in pieces.dropLast() { context.write(wrapOutboundOut(piece), promise: nil) }
        context.write(wrapOutboundOut(pieces[pieces.count - 1]), promise: promise)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let request = unwrapOutboundIn(data)
        switch state.submit(request, deadline: .now() + request.patience) {
        case .write:
            write(request.pieces, context, promise: promise)
            setAlarm(context)
        case .refuse(let error):
            request.promise.fail(reason ?? error)
            promise?.fail(error)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try reader.feed(unwrapInboundIn(data))
            while let reply = try reader.next() { receive(reply, context) }
        } catch {
            fail(error, context)
        }
    }

    private func receive(_ reply: RedisReply, _ context: ChannelHandlerContext) {
        switch state.receive(reply) {
        case .answer(let request):
            request.promise.succeed(reply)
        case .answerAndClose(let request):
            request.promise.succeed(reply)
            context.close(promise: nil)
        case .ready:
            ready.succeed(reply)
        case .fail(let error):
            fail(error, context)
        case .greeted, .ignore:
            break
        }
    }

    /// One alarm at a time, for the first who waits: it asks again when it rings.
    private func setAlarm(_ context: ChannelHandlerContext) {
        guard alarm == nil, let deadline = state.nextDeadline else { return }
        alarm = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
            self.alarm = nil
            if let late = self.state.overdue(at: .now()) {
                self.fail(.timedOut(Duration(late.patience)), context)
            } else {
                self.setAlarm(context)
            }
        }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is RedisLeaving else { return context.triggerUserOutboundEvent(event, promise: promise) }
        if state.leave() { context.close(promise: nil) }
        promise?.succeed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error as? RedisError ?? .connectionLost(reason: ConnectionTrouble(error).description), context)
    }

    private func fail(_ error: RedisError, _ context: ChannelHandlerContext) {
        if reason == nil { reason = error }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    private func end() {
        alarm?.cancel()
        alarm = nil
        let error = reason ?? .connectionLost(reason: "the server closed it")
        for request in state.close() { request.promise.fail(error) }
        ready.fail(error)
    }
}

/// Asks a connection to close when the last reply is there.
struct RedisLeaving: Sendable {}
