// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Synchronization

/// A connection of HTTP/1.1 or HTTP/1.0.
struct HTTP1Channel: ServerChildChannel, HTTPChannelHandler {
    /// A connection, and what is known of it.
    struct Value: ServerChildChannelValue {
        let messages: Messages
        let connection: ClientConnection

        var channel: any Channel { messages.channel }
    }

    /// The requests and answers of a connection.
    ///
    /// NIO ends the process when they are let go of and nobody has looked after them. A listener that closes does that to
    /// connections that it has just accepted; so these look after themselves.
    final class Messages: Sendable {
        typealias Parts = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

        private let parts: Parts
        private let lookAfter: @Sendable (Parts) async -> Void
        private let isTaken = Atomic(false)

        init(_ parts: Parts, lookAfter: @escaping @Sendable (Parts) async -> Void) {
            (self.parts, self.lookAfter) = (parts, lookAfter)
        }

        deinit {
            guard !isTaken.load(ordering: .relaxed) else { return }
            Task { [parts, lookAfter] in await lookAfter(parts) }
        }

        var channel: any Channel { parts.channel }

        /// Looks after them.
        func handle() async {
            isTaken.store(true, ordering: .relaxed)
            await lookAfter(parts)
        }
    }

    let responder: HTTPChannelHandler.Responder
    let context: ConnectionContext

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture { try setUp(channel, context.open(channel), logger) }
    }

    /// Adds what a connection needs behind the bytes.
    func setUp(_ channel: any Channel, _ connection: ClientConnection, _ logger: Logger) throws -> Value {
        // More at a time would be held before a request is answered. The only error is that the connection is closed.
        try? channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
        try Self.addHandlers(to: channel, connection, idleTimeout: TimeAmount(context.idleTimeout))
        return try value(of: channel, connection, logger)
    }

    /// A channel whose handlers are all there.
    func value(of channel: any Channel, _ connection: ClientConnection, _ logger: Logger) throws -> Value {
        let messages = Messages(try NIOAsyncChannel(http: channel)) { parts in
            await ClientConnection.$current.withValue(connection) {
                await handleHTTP(asyncChannel: parts, logger: logger)
            }
        }
        return Value(messages: messages, connection: connection)
    }

    /// Adds what turns bytes into requests, one after the other, and answers into bytes.
    static func addHandlers(
        to channel: any Channel,
        _ connection: ClientConnection,
        idleTimeout: TimeAmount
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        let gate = HTTP1Gate()
        try pipeline.addHandler(gate)
        var framing = HTTPResponseEncoder.Configuration()
        framing.automaticallySetFramingHeaders = false
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 80 << 10
        limits.maxHeaderListSize = 80 << 10
        limits.maxHeaderFieldCount = 1000
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withErrorHandling: false,
            withOutboundHeaderValidation: false,
            withEncoderConfiguration: framing,
            withDecoderLimitConfiguration: limits
        )
        try pipeline.addHandler(
            HTTP1Conversation(
                eventLoop: channel.eventLoop,
                connection: connection,
                times: .init(idle: idleTimeout),
                gate: gate
            )
        )
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try pipeline.addHandler(ClientWatch(leaving: connection.leaving))
    }

    func handle(value: Value, logger: Logger) async {
        await value.messages.handle()
    }
}

extension NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
    /// Requests and answers of a channel whose handlers are all there.
    init(http channel: any Channel) throws {
        try self.init(
            wrappingChannelSynchronously: channel,
            configuration: .init(isOutboundHalfClosureEnabled: true)
        )
    }
}

extension HTTPServerBuilder {
    /// Builds a server that speaks HTTP/1 without TLS.
    static func plain(_ context: ConnectionContext) -> Self {
        .init { HTTP1Channel(responder: $0, context: context) }
    }
}
