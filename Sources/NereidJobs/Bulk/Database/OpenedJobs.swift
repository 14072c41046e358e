// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Dispatch
import GRDB

/// The files of a folder of jobs, opened and looked through. Blocks its thread.
struct OpenedJobs {
    let folder: JobFolder
    let database: DatabasePool
    let reserve: JobReserve
    let ledger: JobLedger
    /// What was found that people should know, each with what to do.
    private(set) var findings: [String]
    /// The files as they were opened.
    let files: [String: FileIdentity]

    init(_ path: String, space: DiskSpace, reservedBytes: Int) throws {
        folder = try JobFolder(path)
        reserve = JobReserve(path: path + "/jobs.reserve", size: reservedBytes)
        findings = folder.findings
        do {
            database = try Self.open(folder, space, reserve)
            let last = try Self.check(database, in: path)
            ledger = JobLedger(path: path + "/jobs.ledger")
            if last < ledger.lastNumber {
                findings.append(
                    "\(ledger.lastNumber - last) of the jobs accepted before are missing from the database in \(path): "
                        + "jobs.sqlite or its log jobs.sqlite-wal was cut short, replaced or removed. Their clients have to "
                        + "order them again. docs/jobs.md says what to look at"
                )
            }
            ledger.reset(to: last)
        } catch let error as DatabaseError {
            throw space.isFull(error, at: path) ? BulkError.diskFull(path) : BulkError(error, in: path)
        }
        if let free = space.free(path) { reserve.hold(of: free) }
        files = Dictionary(
            uniqueKeysWithValues: [folder.database, folder.log].compactMap { file in
                FileIdentity(file).map { (file, $0) }
            }
        )
    }

    /// Opens the database, on a full disk with the room that was set aside.
    private static func open(_ folder: JobFolder, _ space: DiskSpace, _ reserve: JobReserve) throws -> DatabasePool {
        do {
            return try open(folder)
        } catch let error as DatabaseError where space.isFull(error, at: folder.path) && reserve.release() {
            return try open(folder)
        }
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

    /// Looks through the database, as far as the time reaches.
    ///
    /// - Returns: the number of the last job that was ever accepted.
    /// - Throws: ``BulkError/damaged(reason:)``; an error of SQLite.
    private static func check(_ database: DatabasePool, in path: String) throws -> Int64 {
        let alarm = DispatchWorkItem { database.interrupt() }
        DispatchQueue.global().asyncAfter(
            deadline: .now() + .milliseconds(DatabaseJobStore.checkTime.milliseconds),
            execute: alarm
        )
        do {
            defer { alarm.cancel() }
            let finding = try database.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
            if let finding, finding != "ok" { throw BulkError.damagedDatabase(in: path, finding) }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_INTERRUPT {
            // It is large. Damage in the rest shows when it is read.
        }
        return try database.read { try Int64.fetchOne($0, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'job'") }
            ?? 0
    }
}
