// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOHTTPTypes
import NIOHTTPTypesHTTP2
import NIOSSL
import NIOTLS

/// A connection over TLS: HTTP/2 or HTTP/1.1, whichever the client prefers of the two (ALPN, RFC 7301).
struct SecureChannel: ServerChildChannel {
    /// A connection of which it is not known yet what is spoken on it.
    struct Value: ServerChildChannelValue {
        let agreement: EventLoopFuture<Agreement>
        let channel: any Channel
    }

    /// What client and server have agreed on.
    enum Agreement: Sendable {
        case http1(HTTP1Channel.Value)
        case http2(NIOHTTP2Handler.AsyncStreamMultiplexer<HTTP1Channel.Value>)
    }

    private typealias Negotiation = NIOTypedApplicationProtocolNegotiationHandler<Agreement>

    let certificates: CertificateKeeper
    /// Also answers the requests of streams, each of which is a small connection with one request.
    let http1: HTTP1Channel

    /// What a client may do in HTTP/2.
    private static let http2: NIOHTTP2Handler.Configuration = {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
            HTTP2Setting(parameter: .maxHeaderListSize, value: 16 << 10),
        ]
        // What may be on its way to a reader. The usual 64 KiB would make uploads over long ways slow; much more would be
        // memory that clients can fill beside that of uploads.
        configuration.connection.targetWindowSize = 1 << 20
        configuration.stream.targetWindowSize = 256 << 10
        return configuration
    }()

    private var idleTimeout: Duration { http1.context.idleTimeout }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let connection = http1.context.open(channel)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(NIOSSLServerHandler(context: certificates.context))
            try pipeline.addHandler(HandshakeDeadline(TimeAmount(idleTimeout)))
            let negotiation = Negotiation { result in
                switch result {
                case .negotiated("h2"): setUpStreams(channel, connection, logger: logger)
                default:
                    channel.eventLoop.makeCompletedFuture {
                        Agreement.http1(try http1.setUp(channel, connection, logger))
                    }
                }
            }
            try pipeline.addHandler(negotiation)
            return Value(agreement: negotiation.protocolNegotiationResult, channel: channel)
        }
    }

    private func setUpStreams(
        _ channel: any Channel,
        _ connection: ClientConnection,
        logger: Logger
    ) -> EventLoopFuture<Agreement> {
        channel.eventLoop.makeCompletedFuture {
            let end = HTTP2ConnectionEnd(
                eventLoop: channel.eventLoop,
                connection: connection,
                idleTimeout: TimeAmount(idleTimeout)
            )
            let streams = try channel.pipeline.syncOperations.configureAsyncHTTP2Pipeline(
                mode: .server,
                streamDelegate: end.delegate,
                configuration: Self.http2
            ) { setUpStream($0, connection, logger: logger) }
            try channel.pipeline.syncOperations.addHandler(end)
            return .http2(streams)
        }
    }

    private func setUpStream(
        _ channel: any Channel,
        _ connection: ClientConnection,
        logger: Logger
    ) -> EventLoopFuture<HTTP1Channel.Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(HTTP2FramePayloadToHTTPServerCodec())
            try pipeline.addHandler(ClientWatch())
            try pipeline.addHandler(StreamEnd(idleTimeout: TimeAmount(idleTimeout)))
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: idleTimeout, logger: logger))
            return try http1.value(of: channel, connection, logger)
        }
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.agreement.get() {
            case .http1(let connection):
                await http1.handle(value: connection, logger: logger)
            case .http2(let streams):
                try await withThrowingDiscardingTaskGroup { group in
                    for try await stream in streams.inbound {
                        group.addTask { await http1.handle(value: stream, logger: logger) }
                    }
                }
            }
        } catch {
            logger.debug("connection ended before a request", metadata: ["reason": "\(error)"])
        }
    }
}

extension HTTPServerBuilder {
    /// Builds a server that speaks HTTP/2 and HTTP/1.1 over TLS.
    static func secure(by certificates: CertificateKeeper, _ context: ConnectionContext) -> Self {
        .init { responder in
            SecureChannel(certificates: certificates, http1: HTTP1Channel(responder: responder, context: context))
        }
    }
}
