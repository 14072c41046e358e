// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidModels

extension RedisJobStore {
    /// Accepts an order; see ``BulkJobStore/accept(_:)``.
    ///
    /// What is safe when this returns is what Redis keeps: with `appendfsync everysec` the last second is lost when the power of
    /// its machine fails.
    public func accept(_ order: BulkOrder) async throws -> (job: BulkJob, isNew: Bool) {
        guard !order.pictures.isEmpty else { throw BulkError.unavailable(reason: "the order has no pictures") }
        let fingerprint = order.idempotencyKey == nil ? "" : try await order.digest().hexadecimal
        let look = BulkScripts.look(at: order.idempotencyKey, patience: settings.bulkPatience, keys: keys)
        let seen = try await insist([look])[0].elements ?? []
        guard seen.count == 3, let created = seen[0].integer, let held = seen[1].integer, let known = seen[2].text
        else { throw BulkError.unavailable(reason: "Redis replied to a script with something else") }
        if let job = try await job(of: known, for: order, fingerprint) { return (job, false) }
        // What has no room need not be sent.
        try limits.checkRoom(for: order, beside: held)
        let id = BulkID.make(at: created)
        do {
            try await stage(order, as: id)
        } catch {
            await unstage(order, as: id)
            throw error
        }
        // The pictures' time runs out by itself if nobody learns what becomes of this.
        let acceptance = BulkScripts.Acceptance(
            id: id,
            created: created,
            order: order,
            fingerprint: fingerprint,
            limits: limits,
            patience: settings.bulkPatience
        )
        let outcome =
            try await insist([BulkScripts.accept(acceptance, keys: keys)])[0].elements?.compactMap(\.text) ?? []
        switch outcome.first {
        case "accepted":
            guard let job = try await job(id) else {
                throw BulkError.unavailable(reason: "the job was deleted while it was accepted")
            }
            return (job, true)
        case "known":
            await unstage(order, as: id)
            guard let job = try await job(of: outcome[1], for: order, fingerprint) else {
                throw BulkError.unavailable(reason: "the job of the same Idempotency-Key was deleted meanwhile")
            }
            return (job, false)
        case "full":
            await unstage(order, as: id)
            throw limits.isFull
        default:
            await unstage(order, as: id)
            throw BulkError.unavailable(
                reason: "its pictures were gone from Redis before all of them were there. Send it again"
            )
        }
    }

    /// The job that an Idempotency-Key has made; `nil` when it has made none, or none that is still kept.
    ///
    /// - Parameter known: the job's id and the order's fingerprint, or nothing.
    private func job(of known: String, for order: BulkOrder, _ fingerprint: String) async throws -> BulkJob? {
        let parts = known.split(separator: " ").map(String.init)
        guard parts.count == 2, let job = try await job(parts[0]) else { return nil }
        guard parts[1] == fingerprint else { throw BulkError.keyReused(key: order.idempotencyKey ?? "") }
        return job
    }

    /// Puts an order's pictures and their names into Redis, for a while.
    func stage(_ order: BulkOrder, as id: String) async throws {
        let life = RedisCommand.Argument.integer(settings.stagingLife.milliseconds)
        var commands: [RedisCommand] = []
        var bytes = 0
        var hasNames = false
        for (index, picture) in order.pictures.enumerated() {
            let key = keys.picture(of: "\(id):\(index)")
            commands.append(RedisCommand("SET", .text(key), .bytes(picture.bytes), "PX", life))
            if let name = picture.name {
                commands.append(RedisCommand("HSET", .text(keys.names(id)), .integer(index), .text(name)))
                hasNames = true
            }
            bytes += picture.bytes.readableBytes
            // Others are served between one piece and the next.
            if bytes >= 4 << 20 || commands.count >= 200 || index == order.pictures.count - 1 {
                if hasNames { commands.append(RedisCommand("PEXPIRE", .text(keys.names(id)), life)) }
                _ = try await insist(commands)
                (commands, bytes) = ([], 0)
                try Task.checkCancellation()
            }
        }
    }

    /// Frees what an order that is not accepted has put into Redis, as far as that is possible.
    private func unstage(_ order: BulkOrder, as id: String) async {
        let places = order.pictures.indices.map { keys.picture(of: "\(id):\($0)") } + [keys.names(id)]
        let (client, patience) = (client, min(timeout, .seconds(2)))
        // Whoever sent the order may have gone, and Redis may hang: the pictures' time runs out then.
        await Task {
            _ = try? await value(before: .now + patience) {
                for start in stride(from: 0, to: places.count, by: 500) {
                    let piece = places[start..<min(start + 500, places.count)]
                    _ = try? await client.send(RedisCommand(["UNLINK"] + piece.map { .text($0) }))
                }
            }
        }.value
    }

    /// Sends what may be sent twice until it has arrived.
    ///
    /// - Throws: ``BulkError``, also when one of the replies is an error.
    private func insist(_ commands: [RedisCommand]) async throws -> [RedisReply] {
        var backOff = BackOff()
        let end = ContinuousClock.now + min(timeout, .seconds(5))
        while true {
            do {
                return try await reply(to: commands)
            } catch let error as RedisError {
                guard error.mayPass, ContinuousClock.now < end else { throw BulkError(error) }
                try await Task.sleep(for: backOff.next())
            }
        }
    }
}
