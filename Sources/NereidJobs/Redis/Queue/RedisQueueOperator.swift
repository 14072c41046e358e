// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
import NIOCore

/// What an operator does with a queue in Redis: look at it, read dead letters, and put them back or throw them away.
public final class RedisQueueOperator: Sendable {
    private let client: RedisClient
    private let keys: QueueKeys

    /// Makes an operator of the queue at an address.
    public init(_ address: RedisAddress, settings: RedisQueueSettings = .init(), logger: Logger) {
        client = RedisClient(address, logger: logger)
        keys = settings.keys
    }

    /// How one model's part of the queue stands.
    public struct ModelStatus: Sendable, Hashable {
        /// The model.
        public var model: String
        /// Jobs that wait, the bytes of all pictures, and jobs that workers have.
        public var load: QueueLoad
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
        let loads = try await client.send(models.map { QueueScripts.load(of: $0, keys: keys) })
        let dead = try await client.send(models.map { RedisCommand("XLEN", .text(keys.dead(of: $0))) })
        return try models.indices.map { index in
            let numbers = try loads[index].orThrow().elements?.compactMap(\.integer) ?? []
            let load =
                numbers.count == 3
                ? QueueLoad(waiting: numbers[0], waitingBytes: numbers[1], running: numbers[2]) : .idle
            return ModelStatus(model: models[index], load: load, dead: try dead[index].orThrow().integer ?? 0)
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
        return (reply.elements ?? []).compactMap(DeliveredJob.init).map { letter in
            var values: [String: String] = [:]
            for index in stride(from: 0, to: letter.fields.count - 1, by: 2) {
                if let name = letter.fields[index].text, name != "picture" {
                    values[name] = letter.fields[index + 1].text
                }
            }
            return DeadLetter(
                id: letter.id,
                request: values["request"] ?? values["job"] ?? "",
                bytes: values["bytes"].flatMap(Int.init) ?? 0,
                reason: values["reason"] ?? ""
            )
        }
    }

    /// Puts a dead letter into the queue again. Its requester was told long ago; nobody waits for the answer.
    ///
    /// - Returns: whether there was such a letter.
    /// - Throws: ``RedisError``.
    public func retry(_ id: String, of model: String) async throws -> Bool {
        try await client.send(QueueScripts.retry(id, model: model, keys: keys)).integer == 1
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
            let letters = (reply.elements ?? []).compactMap(DeliveredJob.init)
            guard !letters.isEmpty else { return count }
            let pictures = letters.flatMap { letter in
                stride(from: 0, to: letter.fields.count - 1, by: 2).compactMap { index in
                    letter.fields[index].text == "picture_key" ? letter.fields[index + 1].text : nil
                }
            }
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
        let beginnings = [keys.jobs(of: ""), keys.dead(of: "")]
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
