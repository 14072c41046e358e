// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation
import GRDB
import NIOPosix
import Synchronization

/// Bulk jobs in a SQLite database of this process.
///
/// An accepted order is on the disk when ``accept(_:)`` returns. A ``BulkRunner`` does what the store holds. Files: the
/// database, `jobs.sqlite`, with SQLite's own beside it, `jobs.reserve`, `jobs.ledger` and `jobs.lock`.
public final class DatabaseJobStore: BulkJobStore {
    let limits: BulkLimits
    let signals = JobSignals()
    let folder: JobFolder
    let database: DatabasePool
    let reserve: JobReserve
    let ledger: JobLedger
    let space: DiskSpace
    /// Makes the documents that results are kept as; `nil`: they are kept as values.
    let document: BulkDocumentWriter?
    let condition = Mutex(Condition())
    private let clock: @Sendable () -> Date

    /// What is known to be wrong.
    struct Condition: Sendable {
        /// From then on nothing is read or written.
        var damage: BulkError?
        /// Whether the disk was full when something was written last.
        var isFull = false
        /// What was found when the database was opened, each with what to do.
        var findings: [String] = []
        /// The files that were opened.
        var files: [String: FileIdentity] = [:]
    }

    /// The bytes set aside for results and deletions.
    static let reservedBytes = 32 << 20
    /// How long the whole database may be looked through when it is opened.
    static let checkTime = Duration.seconds(2)

    /// Opens the jobs of a folder, or begins there.
    ///
    /// - Parameters:
    ///   - path: the folder; it is made if there is none, for this user only. No other process may use it at the same time.
    ///   - limits: how much is kept, and for how long.
    ///   - document: makes the documents that results are kept as; `nil`: they are kept as values.
    ///   - clock: tells the time.
    /// - Throws: ``BulkError/unavailable(reason:)`` when the folder can't be used, is used by another process, or holds a
    ///   database of a later version; ``BulkError/noSpace(reason:)`` when the disk is full; ``BulkError/damaged(reason:)``.
    public convenience init(
        folder path: String,
        limits: BulkLimits = .init(),
        document: BulkDocumentWriter? = nil,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        try await self.init(
            folder: path,
            limits: limits,
            document: document,
            space: .system,
            reservedBytes: Self.reservedBytes,
            clock: clock
        )
    }

    init(
        folder path: String,
        limits: BulkLimits,
        document: BulkDocumentWriter?,
        space: DiskSpace,
        reservedBytes: Int,
        clock: @escaping @Sendable () -> Date
    ) async throws {
        let opened = try await NIOThreadPool.singleton.runIfActive {
            try OpenedJobs(path, space: space, reservedBytes: reservedBytes)
        }
        (folder, database, reserve, ledger) = (opened.folder, opened.database, opened.reserve, opened.ledger)
        self.limits = limits
        self.document = document
        self.space = space
        self.clock = clock
        condition.withLock { $0.findings = opened.findings }
        condition.withLock { $0.files = opened.files }
    }

    /// The time, in the milliseconds of the database.
    var now: Int { Date.milliseconds(of: clock()) }

    /// Why nothing is read or written any more; `nil` while the database can be used.
    var damage: BulkError? { condition.withLock { $0.damage } }

    /// From now on nothing is read or written.
    func declare(_ damage: BulkError) {
        condition.withLock { if $0.damage == nil { $0.damage = damage } }
        signals.tell(.damaged)
    }

    /// Puts an error of SQLite in words; one that shows damage ends all further use.
    private func explained(_ error: DatabaseError) -> BulkError {
        if space.isFull(error, at: folder.path) { return .diskFull(folder.path) }
        let explained = BulkError(error, in: folder.path)
        if case .damaged = explained { declare(explained) }
        return explained
    }

    private func checkUsable() throws(BulkError) {
        if let damage { throw damage }
    }

    func read<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) async throws -> Value {
        try checkUsable()
        do {
            return try await database.read(body)
        } catch let error as DatabaseError {
            throw explained(error)
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
    ///
    /// - Parameter isOrder: whether it only takes room. All other changes may use the reserve if the disk is full.
    func write<Value: Sendable>(
        safeFrom safety: Safety = .powerLoss,
        isOrder: Bool = false,
        _ body: @Sendable (Database) throws -> Value
    ) async throws -> Value {
        try checkUsable()
        do {
            return try await transact(safety, body)
        } catch let error as DatabaseError where space.isFull(error, at: folder.path) {
            // What an order has left in the log is not to stay there either.
            guard await makeRoom(releasing: !isOrder), !isOrder else { throw explained(error) }
            do {
                return try await transact(safety, body)
            } catch let error as DatabaseError {
                throw explained(error)
            }
        } catch let error as DatabaseError {
            throw explained(error)
        }
    }

    private func transact<Value: Sendable>(
        _ safety: Safety,
        _ body: @Sendable (Database) throws -> Value
    ) async throws -> Value {
        try await database.writeWithoutTransaction { database in
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
    }

    /// Does what can't stand in a transaction.
    func maintain<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) async throws -> Value {
        try checkUsable()
        do {
            return try await database.writeWithoutTransaction(body)
        } catch let error as DatabaseError {
            throw explained(error)
        }
    }

    /// Ends all connections; the folder is free for another store.
    ///
    /// - Throws: an error of SQLite while something is still read.
    func close() throws {
        try database.close()
        folder.release()
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
