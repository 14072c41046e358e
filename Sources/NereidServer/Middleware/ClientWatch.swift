// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import NIOCore
import NIOHTTPTypes
import NereidJobs

/// Looks after one connection: bids clients that ask go on, and notices when they leave.
///
/// A client that closes its side while a request is being worked on will not read the answer. (One that only closes its
/// sending side would; such clients of HTTP are not known to exist, while clients that give up are daily business.)
final class ClientWatch: ChannelDuplexHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The end of the connection.
    let leaving: Occasion

    /// - Parameter leaving: comes when the client leaves.
    init(leaving: Occasion = Occasion()) {
        self.leaving = leaving
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A client that asks first would wait a second for the word before it sends its picture (RFC 9110, 10.1.1).
        if case .head(let head) = unwrapInboundIn(data), head.headerFields[.expect]?.lowercased() == "100-continue" {
            context.writeAndFlush(wrapOutboundOut(.head(.init(status: .continue))), promise: nil)
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { leaving.come() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        leaving.come()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        leaving.come()
        context.fireErrorCaught(error)
    }
}

extension Channel {
    /// Runs work that is cancelled when the connection's client leaves.
    ///
    /// - Throws: `CancellationError` when it did; what the work throws.
    func untilClientLeaves<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) async throws -> Value
    {
        let watch = try? await pipeline.handler(type: ClientWatch.self).get()
        guard let watch else { return try await work() }
        return try await watch.leaving.cancels(work)
    }
}
