// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What can go wrong between a process and its Redis server.
public enum RedisError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No connection can be made.
    case unreachable(address: String, reason: String)
    /// The server did not let us in, or not to this database.
    case notLetIn(address: String, reason: String)
    /// The connection ended before the reply was there; the command may have been carried out.
    case connectionLost(reason: String)
    /// The server has not replied in time.
    case timedOut(Duration)
    /// The server replied with an error.
    case refused(String)
    /// What came is no reply of Redis, or a larger one than is read here.
    case badReply(String)
    /// The connection was closed on our side.
    case closed
    /// The server can't be used for a queue as it is.
    case unsuitable(address: String, reason: String)

    /// Whether Redis has as much as it may hold (`maxmemory`): commands that need memory are refused until some is free.
    public var isFull: Bool {
        if case .refused(let reason) = self { reason.saysRedisIsFull } else { false }
    }

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .unreachable(let address, let reason):
            "Redis at \(address) can't be reached: \(reason). Is the server running there, and does the URL say where?"
        case .notLetIn(let address, let reason):
            "Redis at \(address) does not let us in: \(reason). Check user, password and database in the URL"
        case .connectionLost(let reason):
            "the connection to Redis ended before its reply was there: \(reason). Try again"
        case .timedOut(let duration):
            "Redis has not replied within \(duration). Is the server overloaded, or swapping?"
        case .refused(let reason):
            "Redis refused a command: \(reason)"
        case .badReply(let reason):
            "what came from Redis can't be used: \(reason). Is it Redis that listens there?"
        case .closed:
            "the connection to Redis is closed"
        case .unsuitable(let address, let reason):
            "Redis at \(address) can't hold the queue: \(reason)"
        }
    }
}

extension String {
    /// Whether an error of Redis means that it has as much as it may hold. Before Redis 7 those of scripts hold the word inside.
    var saysRedisIsFull: Bool { hasPrefix("OOM") || contains("OOM command not allowed") }
}

extension JobError {
    /// Redis has as much as it may hold.
    static func redisFull(model: String) -> JobError {
        .queueFull(model: model, limit: "Redis has as much as it may hold", setting: "maxmemory")
    }
}
