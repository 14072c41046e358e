// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation
import GRDB

extension DatabaseJobStore {
    /// The webhook to be told next; see ``BulkJobStore/dueNotice(lease:)``.
    public func dueNotice(lease: Duration) async throws -> BulkNotice? {
        let now = now
        let until = now + max(0, Int(min(lease / .milliseconds(1), 1e12)))
        return try await write { database in
            guard
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT * FROM job WHERE noticeDue <= ? AND expires > ? ORDER BY noticeDue, number LIMIT 1
                        """,
                    arguments: [now, now]
                )
            else { return nil }
            // Counted before it is made: an attempt that ends the process is one of those there may be.
            try database.execute(
                sql: "UPDATE job SET noticeDue = ?, noticeAttempts = noticeAttempts + 1 WHERE number = ?",
                arguments: [until, row["number"] as Int64]
            )
            let trace: String? = row["trace"]
            return BulkNotice(
                job: BulkJob(row),
                url: row["webhook"],
                attempts: row["noticeAttempts"],
                trace: trace.flatMap(TraceParent.init)
            )
        }
    }

    /// Says what became of telling a webhook; see ``BulkJobStore/settleNotice(of:as:retry:)``.
    public func settleNotice(of id: String, as state: BulkJob.Webhook, retry: Date?) async throws {
        let due = state == .waiting ? Date.milliseconds(of: retry ?? Date(milliseconds: now)) : nil
        let reason: String? = if case .givenUp(let reason) = state { reason } else { nil }
        try await write { database in
            // Only of jobs that have one, and are done.
            try database.execute(
                sql: """
                    UPDATE job SET noticeState = ?, noticeReason = ?, noticeDue = ?
                    WHERE id = ? AND webhook IS NOT NULL AND finished IS NOT NULL
                    """,
                arguments: [state.word, reason, due, id]
            )
        }
        signals.changed(id)
    }
}
