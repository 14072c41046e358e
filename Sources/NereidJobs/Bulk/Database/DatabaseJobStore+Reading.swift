// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import NIOCore
import NIOFoundationCompat

extension DatabaseJobStore {
    /// A job as it stands; see ``BulkJobStore/job(_:)``.
    public func job(_ id: String) async throws -> BulkJob? {
        let now = now
        return try await read { try BulkJob.find(id, at: now, in: $0) }
    }

    /// Jobs, the newest first; see ``BulkJobStore/jobs(before:limit:)``.
    ///
    /// A job that is gone still has its place: ids begin with the time.
    public func jobs(before: String?, limit: Int) async throws -> [BulkJob] {
        let now = now
        return try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM job
                    WHERE (:before IS NULL OR number < COALESCE(
                        (SELECT number FROM job WHERE id = :before),
                        (SELECT MAX(number) + 1 FROM job WHERE id < :before),
                        0
                    )) AND (expires IS NULL OR expires > :now)
                    ORDER BY number DESC LIMIT :limit
                    """,
                arguments: ["before": before, "now": now, "limit": max(0, limit)]
            ).map(BulkJob.init)
        }
    }

    /// Results of a job; see ``BulkJobStore/results(of:after:limit:bytes:)``.
    ///
    /// The rows are read one by one, no further than the page goes; a task that is cancelled ends the reading.
    public func results(of id: String, after sequence: Int, limit: Int, bytes: Int) async throws -> [BulkResult] {
        let now = now
        return try await read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT result.sequence, result.position, result.answer, result.isDocument, picture.name, job.model
                    FROM job JOIN result ON result.job = job.number
                    JOIN picture ON picture.job = result.job AND picture.position = result.position
                    WHERE job.id = ? AND (job.expires IS NULL OR job.expires > ?) AND result.sequence > ?
                    ORDER BY result.sequence LIMIT ?
                    """,
                arguments: [id, now, sequence, max(0, limit)]
            )
            var (results, size): ([BulkResult], Int) = ([], 0)
            while size < bytes, let row = try rows.next() {
                let answer: Data = row["answer"]
                size += answer.count
                results.append(BulkResult(row, answer: ByteBuffer(data: answer)))
            }
            return results
        }
    }

    /// Waits for a change of a job; see ``BulkJobStore/waitForChange(of:after:until:)``.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    public func waitForChange(of id: String, after sequence: Int, until deadline: ContinuousClock.Instant) async throws
    {
        while deadline > .now {
            let mark = signals.mark
            guard let job = try await job(id), job.finished == nil, job.done <= sequence else { return }
            try await signals.wait(for: id, since: mark, until: deadline)
        }
    }
}

extension BulkResult {
    /// - Parameter row: of ``DatabaseJobStore/results(of:after:limit:bytes:)``.
    fileprivate init(_ row: Row, answer: ByteBuffer) {
        let model: String = row["model"]
        self.init(
            sequence: row["sequence"],
            picture: row["position"],
            name: row["name"],
            content: row["isDocument"]
                ? .document(answer)
                : .outcome(Result { try AnswerMessage(json: answer).answer(from: model, within: .ownDatabase) })
        )
    }
}

extension Date {
    /// Whole milliseconds since 1970.
    static func milliseconds(of date: Date) -> Int {
        Int(max(0, min(date.timeIntervalSince1970 * 1000, 1e15)))
    }

    /// - Parameter milliseconds: since 1970.
    init(milliseconds: Int) {
        self.init(timeIntervalSince1970: Double(milliseconds) / 1000)
    }
}

extension BulkJob {
    /// A job that is there and has not expired.
    static func find(_ id: String, at now: Int, in database: Database) throws -> BulkJob? {
        try Row.fetchOne(
            database,
            sql: "SELECT * FROM job WHERE id = ? AND (expires IS NULL OR expires > ?)",
            arguments: [id, now]
        ).map(BulkJob.init)
    }

    /// - Parameter row: of the table `job`.
    init(_ row: Row) {
        func date(_ milliseconds: Int?) -> Date? { milliseconds.map(Date.init(milliseconds:)) }
        let notice: String? = row["noticeState"]
        self.init(
            id: row["id"],
            model: row["model"],
            created: Date(milliseconds: row["created"]),
            finished: date(row["finished"]),
            expires: date(row["expires"]),
            pictures: row["pictures"],
            done: row["done"],
            failed: row["failed"],
            webhook: notice.map { Webhook(state: $0, reason: row["noticeReason"]) }
        )
    }
}

extension BulkJob.Webhook {
    init(state: String, reason: String?) {
        switch state {
        case "delivered": self = .delivered
        case "given_up": self = .givenUp(reason: reason ?? "")
        default: self = .waiting
        }
    }

    /// The word in the database.
    var word: String {
        switch self {
        case .waiting: "waiting"
        case .delivered: "delivered"
        case .givenUp: "given_up"
        }
    }
}
