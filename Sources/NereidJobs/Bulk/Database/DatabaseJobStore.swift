// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation
import GRDB
import NIOCore
import NIOFoundationCompat
import NIOPosix

/// Bulk jobs in a SQLite database of this process.
///
/// An accepted order is on the disk when ``accept(_:)`` returns. A ``BulkRunner`` does what the store holds. Files: the
/// database, `jobs.sqlite`, with SQLite's own beside it, and `jobs.lock`.
public final class DatabaseJobStore: BulkJobStore {
    let limits: BulkLimits
    let signals = JobSignals()
    private let folder: JobFolder
    private let database: DatabasePool
    private let clock: @Sendable () -> Date

    /// Opens the jobs of a folder, or begins there.
    ///
    /// - Parameters:
    ///   - path: the folder; it is made if there is none, for this user only. No other process may use it at the same time.
    ///   - limits: how much is kept, and for how long.
    ///   - clock: tells the time.
    /// - Throws: ``BulkError/unavailable(reason:)`` when the folder can't be used, is used by another process, or holds a
    ///   database that is damaged or of a later version.
    public init(
        folder path: String,
        limits: BulkLimits = .init(),
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        (folder, database) = try await NIOThreadPool.singleton.runIfActive {
            let folder = try JobFolder(path)
            do {
                return (folder, try Self.open(folder))
            } catch let error as DatabaseError {
                throw BulkError(error, in: path)
            }
        }
        self.limits = limits
        self.clock = clock
    }

    private static func open(_ folder: JobFolder) throws -> DatabasePool {
        let database = try DatabasePool(path: folder.database, configuration: JobSchema.configuration)
        let migrator = JobSchema.migrator
        guard try !database.read({ try migrator.hasBeenSuperseded($0) }) else {
            throw BulkError.unavailable(
                reason: "\(folder.database) was written by a later version of this program. "
                    + "Use that version, or give another folder (setting jobs)"
            )
        }
        try migrator.migrate(database)
        return database
    }

    /// The time, in the milliseconds of the database.
    var now: Int { Date.milliseconds(of: clock()) }

    func read<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await database.read(body)
        } catch let error as DatabaseError {
            throw BulkError(error, in: folder.path)
        }
    }

    /// What a change is safe from once it is made.
    enum Safety: String, Sendable {
        /// The end of this process.
        case processEnd = "NORMAL"
        /// The end of the machine's power: the disk has said that it holds the change.
        case powerLoss = "FULL"
    }

    /// Makes a change as a whole or not at all.
    func write<Value: Sendable>(
        safeFrom safety: Safety = .powerLoss,
        _ body: @Sendable (Database) throws -> Value
    ) async throws -> Value {
        do {
            return try await database.writeWithoutTransaction { database in
                // Said each time, since GRDB opens pools with less, and a change that is cancelled could not set it back.
                try database.execute(sql: "PRAGMA synchronous = \(safety.rawValue)")
                var value: Value?
                try database.inTransaction(.immediate) {
                    value = try body(database)
                    return .commit
                }
                guard let value else { throw CancellationError() }
                return value
            }
        } catch let error as DatabaseError {
            throw BulkError(error, in: folder.path)
        }
    }

    /// Does what can't stand in a transaction.
    func maintain<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await database.writeWithoutTransaction(body)
        } catch let error as DatabaseError {
            throw BulkError(error, in: folder.path)
        }
    }

    // MARK: Reading

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

    /// Results of a job; see ``BulkJobStore/results(of:after:limit:)``.
    public func results(of id: String, after sequence: Int, limit: Int) async throws -> [BulkResult] {
        let now = now
        return try await read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT result.sequence, result.position, result.answer, picture.name, job.model
                    FROM job JOIN result ON result.job = job.number
                    JOIN picture ON picture.job = result.job AND picture.position = result.position
                    WHERE job.id = ? AND (job.expires IS NULL OR job.expires > ?) AND result.sequence > ?
                    ORDER BY result.sequence LIMIT ?
                    """,
                arguments: [id, now, sequence, max(0, limit)]
            )
            var results: [BulkResult] = []
            while let row = try rows.next() {
                let (answer, model): (Data, String) = (row["answer"], row["model"])
                results.append(
                    BulkResult(
                        sequence: row["sequence"],
                        picture: row["position"],
                        name: row["name"],
                        outcome: Result { try AnswerMessage(json: ByteBuffer(data: answer)).answer(from: model) }
                    )
                )
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

    /// Removes a job; see ``BulkJobStore/remove(_:)``.
    public func remove(_ id: String) async throws -> Bool {
        let now = now
        let isGone = try await write { database in
            let wasThere = try BulkJob.find(id, at: now, in: database) != nil
            try database.execute(sql: "DELETE FROM job WHERE id = ?", arguments: [id])
            return wasThere
        }
        signals.tell(.removed(id: id))
        signals.changed(id)
        return isGone
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

extension BulkError {
    /// What SQLite's error means for those who keep the folder.
    init(_ error: DatabaseError, in folder: String) {
        let reason =
            switch error.resultCode {
            case .SQLITE_FULL:
                "the disk of \(folder) is full. Make room there, or give another folder (setting jobs)"
            case .SQLITE_CORRUPT, .SQLITE_NOTADB:
                "the database in \(folder) is damaged. Move jobs.sqlite and the files beside it away to begin anew, "
                    + "or give another folder (setting jobs)"
            case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH:
                "the database in \(folder) can't be written. Let this user write there, or give another folder (setting jobs)"
            case .SQLITE_BUSY, .SQLITE_LOCKED:
                "another program holds the database in \(folder). Close it"
            case .SQLITE_TOOBIG:
                "a picture is larger than a database can hold (1 GB)"
            default:
                "the database in \(folder) reports: \(error.message ?? "error \(error.extendedResultCode.rawValue)")"
            }
        self = .unavailable(reason: reason)
    }
}
