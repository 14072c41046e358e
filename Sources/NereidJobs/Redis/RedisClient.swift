// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A connection to Redis that many share, and that is made again when it was lost.
final class RedisClient: Sendable {
    let address: RedisAddress
    private let group: any EventLoopGroup
    let logger: Logger
    /// How long a command waits for a connection.
    private let patience: Duration

    private enum State {
        case none
        case opening(Task<RedisConnection, any Error>)
        case open(RedisConnection)
        case shutDown
    }

    private let state = Mutex(State.none)

    init(
        _ address: RedisAddress,
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        patience: Duration = .seconds(3),
        logger: Logger
    ) {
        self.address = address
        self.group = group
        self.patience = patience
        self.logger = logger
    }

    /// Sends commands in one go and waits for all their replies, which may be errors each.
    ///
    /// They are sent once only: of a connection that ended before the replies were there nobody knows what was carried out.
    ///
    /// - Throws: ``RedisError``.
    func send(_ commands: [RedisCommand]) async throws -> [RedisReply] {
        try await connection().send(commands)
    }

    /// Sends a command and waits for its reply.
    ///
    /// - Throws: ``RedisError``, also when the reply is an error.
    @discardableResult
    func send(_ command: RedisCommand) async throws -> RedisReply {
        try await connection().send(command)
    }

    /// A connection for one reader alone, which may block it.
    func ownConnection() async throws -> RedisConnection {
        try await RedisConnection.open(address, on: group)
    }

    /// Ends the connection once the last reply is there; nothing can be sent any more.
    func shutDown() {
        let last = state.withLock { state in
            defer { state = .shutDown }
            return state
        }
        switch last {
        case .open(let connection): connection.leave()
        case .opening(let task): task.cancel()
        case .none, .shutDown: break
        }
    }

    private func connection() async throws -> RedisConnection {
        let (open, opening) = try state.withLock { state -> (RedisConnection?, Task<RedisConnection, any Error>?) in
            switch state {
            case .open(let connection) where connection.isOpen:
                return (connection, nil)
            case .opening(let task):
                return (nil, task)
            case .none, .open:
                let task = Task { try await self.open() }
                state = .opening(task)
                return (nil, task)
            case .shutDown:
                throw RedisError.closed
            }
        }
        if let open { return open }
        guard let opening else { throw RedisError.closed }
        return try await opening.value
    }

    private func open() async throws -> RedisConnection {
        var backOff = BackOff()
        let end = ContinuousClock.now + patience
        while true {
            do {
                let connection = try await RedisConnection.open(address, on: group)
                let isShutDown = state.withLock { state in
                    if case .shutDown = state { return true }
                    state = .open(connection)
                    return false
                }
                if isShutDown {
                    connection.close()
                    throw RedisError.closed
                }
                return connection
            } catch {
                let wait = backOff.next()
                if ContinuousClock.now + wait < end, !Task.isCancelled, (error as? RedisError)?.mayPass ?? false {
                    logger.debug("no connection to Redis yet", metadata: ["error": "\(error)", "again": "\(wait)"])
                    try? await Task.sleep(for: wait)
                    continue
                }
                state.withLock { state in
                    if case .opening = state { state = .none }
                }
                throw error
            }
        }
    }
}

extension RedisError {
    /// Whether the same may work a little later.
    var mayPass: Bool {
        switch self {
        case .unreachable, .connectionLost, .timedOut: true
        // A server that reads its file after a restart says LOADING until it is done.
        case .notLetIn(_, let reason), .refused(let reason): reason.hasPrefix("LOADING")
        case .badReply, .closed, .unsuitable: false
        }
    }
}
