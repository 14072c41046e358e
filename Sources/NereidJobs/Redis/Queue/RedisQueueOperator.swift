// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
import NIOCore

/// What an operator does with a queue in Redis: look at it, read dead letters, and put them back or throw them away.
public final class RedisQueueOperator: Sendable {
    private let client: RedisClient
    private let settings: RedisQueueSettings
    private let keys: QueueKeys

    /// Makes an operator of the queue at an address.
    public init(_ address: RedisAddress, settings: RedisQueueSettings = .init(), logger: Logger) {
        client = RedisClient(address, logger: logger)
        self.settings = settings
        keys = settings.keys
    }

    /// How one model's part of the queue stands.
    public struct ModelStatus: Sendable, Hashable {
        /// The model.
        public var model: String
        /// Jobs of the lane ``Lane/interactive`` that wait, the bytes of all their pictures, and those that workers have.
        public var load: QueueLoad
        /// The same of the lane ``Lane/bulk``.
        public var bulk: QueueLoad
        /// Jobs that were given up.
        public var dead: Int
    }

    /// A job that was given up.
    public struct DeadLetter: Sendable, Hashable {
        /// What ``retry(_:of:)`` takes.
        public var id: String
        /// The id of the request.
        public var request: String
        /// The length of the picture.
        public var bytes: Int
        /// Why it was given up.
        public var reason: String
    }

    /// How each model's part of the queue stands, by the model's name.
    ///
    /// - Throws: ``RedisError``.
    public func status() async throws -> [ModelStatus] {
        let models = try await models()
        guard !models.isEmpty else { return [] }
        func loads(_ lane: Lane) async throws -> [QueueLoad] {
            let streams = models.map { JobStream(model: $0, lane: lane) }
            let replies = try await client.send(streams.map { QueueScripts.load(of: $0, keys: keys) })
            return try replies.map { QueueLoad(try $0.orThrow()) ?? .idle }
        }
        let (interactive, bulk) = (try await loads(.interactive), try await loads(.bulk))
        let dead = try await client.send(models.map { RedisCommand("XLEN", .text(keys.dead(of: $0))) })
        return try models.indices.map { index in
            ModelStatus(
                model: models[index],
                load: interactive[index],
                bulk: bulk[index],
                dead: try dead[index].orThrow().integer ?? 0
            )
        }
    }

    /// What may lose jobs on this server, each with what to do.
    ///
    /// - Throws: ``RedisError``.
    public func warnings() async throws -> [String] {
        let suitability = try await RedisSuitability(asking: client)
        return (suitability.obstacle.map { [$0] } ?? []) + suitability.warnings
    }

    /// A model's dead letters, the oldest first.
    ///
    /// - Parameter most: how many to read.
    /// - Throws: ``RedisError``.
    public func deadLetters(of model: String, atMost most: Int = 100) async throws -> [DeadLetter] {
        let reply = try await client.send(
            RedisCommand("XRANGE", .text(keys.dead(of: model)), "-", "+", "COUNT", .integer(most))
        )
        return (reply.elements ?? []).compactMap(StreamEntry.init).map { letter in
            let values = letter.values
            return DeadLetter(
                id: letter.id,
                request: (values["request"] ?? values["job"])?.text ?? "",
                bytes: values["bytes"]?.integer ?? 0,
                reason: values["reason"]?.text ?? ""
            )
        }
    }

    /// Puts a dead letter into the queue again.
    ///
    /// A requester was told of the error long ago: nobody waits for the answer. A bulk job that is still kept takes the error
    /// back, is unfinished until the answer is there, and has it as a further result of the same picture.
    ///
    /// - Returns: whether there was such a letter.
    /// - Throws: ``RedisError``.
    public func retry(_ id: String, of model: String) async throws -> Bool {
        try await client.send(QueueScripts.retry(id, model: model, keptFor: settings.deadLife, keys: keys))
            .integer == 1
    }

    /// Throws a model's dead letters away, with their pictures.
    ///
    /// - Returns: how many.
    /// - Throws: ``RedisError``.
    @discardableResult
    public func purgeDeadLetters(of model: String) async throws -> Int {
        var count = 0
        while true {
            let key = keys.dead(of: model)
            let reply = try await client.send(RedisCommand("XRANGE", .text(key), "-", "+", "COUNT", 100))
            let letters = (reply.elements ?? []).compactMap(StreamEntry.init)
            guard !letters.isEmpty else { return count }
            let pictures = letters.compactMap { $0.values["picture_key"]?.text }
            if !pictures.isEmpty { try await client.send(RedisCommand(["UNLINK"] + pictures.map { .text($0) })) }
            try await client.send(RedisCommand(["XDEL", .text(key)] + letters.map { .text($0.id) }))
            count += letters.count
        }
    }

    /// Ends the connection.
    public func shutDown() {
        client.shutDown()
    }

    /// Every model that has or had jobs, without holding Redis up for long.
    private func models() async throws -> [String] {
        var models: Set<String> = []
        let beginnings = Lane.allCases.map { keys.jobs(JobStream(model: "", lane: $0)) } + [keys.dead(of: "")]
        for beginning in beginnings {
            var cursor = "0"
            repeat {
                let pattern = beginning.flatMap { "*?[]\\".contains($0) ? "\\\($0)" : "\($0)" } + "*"
                let reply = try await client.send(
                    RedisCommand("SCAN", .text(cursor), "MATCH", .text(String(pattern)), "COUNT", 500)
                )
                let parts = reply.elements ?? []
                cursor = parts.first?.text ?? "0"
                for key in parts.last?.elements?.compactMap(\.text) ?? [] {
                    models.insert(String(key.dropFirst(beginning.count)))
                }
            } while cursor != "0"
        }
        return models.sorted()
    }
}
