// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOPosix
import NIOSSL

/// One connection to Redis. Commands sent while others wait for their replies go out at once, behind them.
struct RedisConnection: Sendable {
    private let channel: any Channel
    /// The server's own number for this connection.
    let number: Int

    /// How long the server may take to be reached, and to reply to a command that does not block.
    static let patience = TimeAmount.seconds(10)

    /// Connects, identifies itself, and chooses the database.
    ///
    /// - Throws: ``RedisError``.
    static func open(
        _ address: RedisAddress,
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        limits: ReplyLimits = .init()
    ) async throws -> RedisConnection {
        let loop = group.next()
        let ready = loop.makePromise(of: RedisReply.self)
        let security: NIOSSLContext?
        do {
            security = try address.tls.map(NIOSSLContext.init)
        } catch {
            ready.fail(RedisError.closed)
            throw RedisError.notLetIn(
                address: address.description,
                reason: "the certificates to trust, \(address.tls?.authorities ?? ""), can't be read: \(error)"
            )
        }
        let greeting = greeting(for: address)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(patience)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            // Pictures come in one piece or a few, instead of one for each 64 KiB.
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1 << 12, initial: 1 << 16, maximum: 1 << 20)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let security {
                        // Names of servers are told and checked, addresses can't be.
                        let name = address.host.contains(where: \.isLetter) && !address.host.contains(":")
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: security, serverHostname: name ? address.host : nil)
                        )
                    }
                    try pipeline.addHandler(
                        RedisChannelHandler(address: address, greeting: greeting, limits: limits, ready: ready)
                    )
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: address.host, port: address.port).get()
        } catch {
            ready.fail(RedisError.closed)
            throw RedisError.unreachable(
                address: address.description,
                reason: ConnectionTrouble(error).description
            )
        }
        let alarm = loop.scheduleTask(in: patience) { channel.close(promise: nil) }
        defer { alarm.cancel() }
        do {
            return RedisConnection(channel: channel, number: try await ready.futureResult.get().integer ?? 0)
        } catch RedisError.connectionLost(let reason) {
            throw RedisError.unreachable(address: address.description, reason: reason)
        }
    }

    /// Its last command gives the connection's number.
    static func greeting(for address: RedisAddress) -> [RedisCommand] {
        var commands: [RedisCommand] = []
        if let password = address.password {
            let user = address.user.map { [RedisCommand.Argument.text($0)] } ?? []
            commands.append(RedisCommand(["AUTH"] + user + [.text(password)]))
        }
        if address.database != 0 { commands.append(RedisCommand("SELECT", .integer(address.database))) }
        commands.append(RedisCommand("CLIENT", "ID"))
        return commands
    }

    /// Sends commands in one go, at once, and waits for nothing.
    ///
    /// - Parameter blocking: how long Redis itself may hold back a reply, for commands that wait for something.
    /// - Returns: all their replies, which may be errors each, or a ``RedisError`` when the connection ends before the last is there.
    ///   What is done with the future's value runs on the connection's thread, which must not be blocked.
    func start(_ commands: [RedisCommand], blocking: Duration = .zero) -> EventLoopFuture<[RedisReply]> {
        let patience = Self.patience + TimeAmount(blocking)
        let requests = commands.map {
            RedisRequest(pieces: $0.pieces, promise: channel.eventLoop.makePromise(), patience: patience)
        }
        for request in requests {
            channel.write(request).whenFailure { error in
                request.promise.fail(
                    error as? RedisError ?? RedisError.connectionLost(reason: ConnectionTrouble(error).description)
                )
            }
        }
        channel.flush()
        return EventLoopFuture.whenAllSucceed(requests.map(\.promise.futureResult), on: channel.eventLoop)
    }

    /// Sends commands in one go and waits for all their replies, which may be errors each.
    ///
    /// - Parameter blocking: how long Redis itself may hold back a reply, for commands that wait for something.
    /// - Throws: ``RedisError`` when the connection ends before the last reply is there.
    func send(_ commands: [RedisCommand], blocking: Duration = .zero) async throws -> [RedisReply] {
        try await start(commands, blocking: blocking).get()
    }

    /// Sends a command and waits for its reply.
    ///
    /// - Throws: ``RedisError``, also when the reply is an error.
    func send(_ command: RedisCommand, blocking: Duration = .zero) async throws -> RedisReply {
        try await send([command], blocking: blocking)[0].orThrow()
    }

    /// Whether it still stands.
    var isOpen: Bool { channel.isActive }

    /// Ends it once the last reply is there; takes no more commands.
    func leave() {
        channel.triggerUserOutboundEvent(RedisLeaving(), promise: nil)
    }

    /// Ends it at once.
    func close() {
        channel.close(promise: nil)
    }
}

extension NIOSSLContext {
    fileprivate convenience init(_ tls: RedisAddress.TLS) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let file = tls.authorities { configuration.trustRoots = .file(file) }
        try self.init(configuration: configuration)
    }
}
