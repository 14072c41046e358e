// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// Looks after one connection: bids clients that ask go on, notices when they leave, and ends it where an answer says so.
///
/// A client that closes its side while a request is being worked on will not read the answer. (One that only closes its
/// sending side would; such clients of HTTP are not known to exist, while clients that give up are daily business.)
final class ClientWatch: ChannelDuplexHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private struct State {
        var isGone = false
        var endsAfterAnswer = false
        var lastNumber = 0
        var waiting: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// How long a client may go on sending what nobody reads, so that it comes to reading the answer.
    private static let lingering = TimeAmount.seconds(2)

    /// Calls `action` once when the client leaves, at once if it has left. Returns a number to take that back by.
    func whenClientLeaves(_ action: @escaping @Sendable () -> Void) -> Int {
        let (number, isGone) = state.withLock { state in
            state.lastNumber += 1
            if !state.isGone { state.waiting[state.lastNumber] = action }
            return (state.lastNumber, state.isGone)
        }
        if isGone { action() }
        return number
    }

    /// The request is answered: its action is not wanted any more.
    func forget(_ number: Int) {
        state.withLock { _ = $0.waiting.removeValue(forKey: number) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A client that asks first would wait a second for the word before it sends its picture (RFC 9110, 10.1.1).
        if case .head(let head) = unwrapInboundIn(data), head.headerFields[.expect]?.lowercased() == "100-continue" {
            context.writeAndFlush(wrapOutboundOut(.head(.init(status: .continue))), promise: nil)
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { clientHasLeft() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        clientHasLeft()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        clientHasLeft()
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            state.withLock { $0.endsAfterAnswer = head.headerFields[.connection]?.lowercased() == "close" }
            context.write(data, promise: promise)
        case .end where state.withLock({ $0.endsAfterAnswer }):
            let channel = context.channel
            context.writeAndFlush(data, promise: promise)
            // Closing at once would reset the connection under a client that is still sending, answer unread.
            channel.close(mode: .output, promise: nil)
            context.eventLoop.scheduleTask(in: Self.lingering) { channel.close(promise: nil) }
        default:
            context.write(data, promise: promise)
        }
    }

    private func clientHasLeft() {
        let actions = state.withLock { state in
            state.isGone = true
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        for action in actions { action() }
    }
}

extension Channel {
    /// Runs work that is cancelled when the connection's client leaves.
    ///
    /// - Throws: `CancellationError` when it did; what the work throws.
    func untilClientLeaves<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value
    {
        let watch = try? await pipeline.handler(type: ClientWatch.self).get()
        let task = Task(operation: work)
        let number = watch?.whenClientLeaves { task.cancel() }
        defer { if let number { watch?.forget(number) } }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
