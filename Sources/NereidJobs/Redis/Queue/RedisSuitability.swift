// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What is to be known of a Redis server before a queue is trusted to it.
struct RedisSuitability: Sendable, Hashable {
    /// Such as `7.0.15`.
    var version: String
    /// What Redis drops when its memory is full.
    var evictionPolicy: String
    /// Bytes that Redis may hold; 0 for no limit of its own.
    var maxMemory: Int
    /// Whether what it holds is written to a file as it comes.
    var appendsToFile: Bool
    /// Whether what it holds is written to a file now and then.
    var savesSnapshots: Bool

    /// The version that can give jobs of dead workers to others (`XAUTOCLAIM`).
    static let leastVersion = (6, 2)

    /// Why a queue can't work there; `nil` when it can.
    var obstacle: String? {
        let parts = version.split(separator: ".").map { Int($0) ?? 0 }
        let numbers = (parts.first ?? 0, parts.count > 1 ? parts[1] : 0)
        guard numbers < Self.leastVersion else { return nil }
        return "it is version \(version), but the queue needs 6.2 or later (XAUTOCLAIM). Install a later Redis"
    }

    /// What may lose jobs there, each with what to do.
    var warnings: [String] {
        var warnings: [String] = []
        if evictionPolicy != "noeviction" {
            warnings.append(
                "Redis may DROP WAITING JOBS AND PICTURES when its memory is full: maxmemory-policy is "
                    + "‘\(evictionPolicy)’. Set it to noeviction; jobs are then refused, not lost"
            )
        }
        if maxMemory == 0 {
            warnings.append(
                "Redis has no limit of its memory, so that the machine may run out of it. Set maxmemory above the sum of "
                    + "queue_bytes of all models"
            )
        }
        if !appendsToFile && !savesSnapshots {
            warnings.append(
                "Redis writes nothing to a file, so that a restart loses all waiting jobs. Set appendonly to yes"
            )
        }
        return warnings
    }
}

extension RedisSuitability {
    /// Asks a server.
    ///
    /// - Throws: ``RedisError``.
    init(asking client: RedisClient) async throws {
        let replies = try await client.send([
            RedisCommand("INFO", "server"), RedisCommand("INFO", "memory"), RedisCommand("INFO", "persistence"),
            RedisCommand("CONFIG", "GET", "save"),
        ])
        let values = try Self.values(replies[0].orThrow().text ?? "")
            .merging(Self.values(replies[1].orThrow().text ?? "")) { first, _ in first }
            .merging(Self.values(replies[2].orThrow().text ?? "")) { first, _ in first }
        guard let version = values["redis_version"], let policy = values["maxmemory_policy"] else {
            throw RedisError.badReply("INFO names neither redis_version nor maxmemory_policy")
        }
        // Hosted servers often refuse CONFIG; they are taken to look after their files themselves.
        let save = replies[3].elements?.last?.text ?? "hosted"
        self.init(
            version: version,
            evictionPolicy: policy,
            maxMemory: values["maxmemory"].flatMap(Int.init) ?? 0,
            appendsToFile: values["aof_enabled"] == "1",
            savesSnapshots: !save.isEmpty
        )
    }

    /// The lines `name:value` of `INFO`.
    static func values(_ info: String) -> [String: String] {
        var values: [String: String] = [:]
        for line in info.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        return values
    }
}

extension RedisClient {
    /// Waits for the server, sees to it that a queue can be trusted to it, and tells the log what may lose jobs.
    ///
    /// - Throws: ``RedisError`` when waiting does not help, ``RedisError/unsuitable(address:reason:)`` among them;
    ///   `CancellationError`.
    func checkSuitability() async throws {
        var backOff = BackOff()
        while true {
            do {
                let suitability = try await RedisSuitability(asking: self)
                if let obstacle = suitability.obstacle {
                    throw RedisError.unsuitable(address: address.description, reason: obstacle)
                }
                for warning in suitability.warnings { logger.warning("\(warning)") }
                return
            } catch let error as RedisError where error.mayPass {
                logger.warning("waiting for Redis", metadata: ["error": "\(error)"])
                try await Task.sleep(for: backOff.next())
            }
        }
    }
}
