// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import NIOCore
import NIOFoundationCompat

extension DatabaseJobStore {
    /// Accepts an order; see ``BulkJobStore/accept(_:)``.
    public func accept(_ order: BulkOrder) async throws -> (job: BulkJob, isNew: Bool) {
        let digest = order.idempotencyKey == nil ? nil : try await order.digest()
        let (now, limits) = (now, limits)
        let accepted = try await write(isOrder: true) { [self] database in
            if let key = order.idempotencyKey, let known = try Self.job(of: key, digest, at: now, in: database) {
                return Acceptance(job: known)
            }
            let waiting = "SELECT SUM(waitingBytes) FROM job WHERE finished IS NULL"
            try limits.checkRoom(for: order, beside: Int.fetchOne(database, sql: waiting) ?? 0)
            try checkSpace(for: order, in: database)
            let id = BulkID.make(at: now)
            let number = try Self.insert(order, as: id, digest, at: now, in: database)
            if let trace = order.trace {
                try database.execute(
                    sql: "UPDATE job SET trace = ? WHERE number = ?",
                    arguments: [trace.description, number]
                )
            }
            if order.pictures.isEmpty { try Self.finishIfDone(id, at: now, limits, in: database) }
            guard let job = try BulkJob.find(id, at: 0, in: database) else { throw BulkError.notFound(id: id) }
            return Acceptance(job: job, number: number)
        }
        if let number = accepted.number {
            ledger.note(number)
            signals.tell(.accepted)
        }
        return (accepted.job, accepted.isNew)
    }

    private struct Acceptance: Sendable {
        var job: BulkJob
        /// `nil` when the job is not new.
        var number: Int64?
        var isNew: Bool { number != nil }
    }

    /// The job that an order with this key has made.
    private static func job(of key: String, _ digest: Data?, at now: Int, in database: Database) throws -> BulkJob? {
        // A job that has expired is as good as gone, and must not stand in the way of one with its key.
        try database.execute(sql: "DELETE FROM job WHERE idempotencyKey = ? AND expires <= ?", arguments: [key, now])
        guard
            let row = try Row.fetchOne(database, sql: "SELECT * FROM job WHERE idempotencyKey = ?", arguments: [key])
        else { return nil }
        guard row["digest"] == digest else { throw BulkError.keyReused(key: key) }
        return BulkJob(row)
    }

    private static func insert(
        _ order: BulkOrder,
        as id: String,
        _ digest: Data?,
        at now: Int,
        in database: Database
    ) throws -> Int64 {
        try database.execute(
            sql: """
                INSERT INTO job (id, model, options, created, pictures, waitingBytes, idempotencyKey, digest, webhook, noticeState)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id, order.model, OptionsMessage(order.options).json, now, order.pictures.count, order.byteCount,
                order.idempotencyKey, digest, order.webhook, order.webhook == nil ? nil : BulkJob.Webhook.waiting.word,
            ]
        )
        let number = database.lastInsertedRowID
        let picture = try database.cachedStatement(
            sql: "INSERT INTO picture (job, position, name, bytes) VALUES (?, ?, ?, ?)"
        )
        // A blob without bytes is bound as NULL.
        let upload = try database.cachedStatement(
            sql: "INSERT INTO upload (job, position, bytes) VALUES (?, ?, COALESCE(?, x''))"
        )
        for (position, one) in order.pictures.enumerated() {
            try picture.execute(arguments: [number, position, one.name, one.bytes.readableBytes])
            try upload.execute(arguments: [number, position, Data(buffer: one.bytes)])
        }
        return number
    }
}
