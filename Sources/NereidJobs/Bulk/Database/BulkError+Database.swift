// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import GRDB

extension BulkError {
    /// What SQLite's error means for those who keep the folder.
    init(_ error: DatabaseError, in folder: String) {
        switch error.resultCode {
        case .SQLITE_FULL:
            self = .diskFull(folder)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self = .damagedDatabase(in: folder)
        case .SQLITE_IOERR:
            self = .damaged(
                reason:
                    "the database in \(folder) reports: \(error.message ?? "error \(error.extendedResultCode.rawValue)"). "
                    + "Check the disk and the files of that folder; the database is opened again by itself"
            )
        default:
            self = .unavailable(reason: Self.reason(error, folder))
        }
    }

    private static func reason(_ error: DatabaseError, _ folder: String) -> String {
        switch error.resultCode {
        case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH:
            "the database in \(folder) can't be written. Let this user write there, or give another folder (setting jobs)"
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            "another program holds the database in \(folder). Close it"
        case .SQLITE_TOOBIG:
            "a picture is larger than a database can hold (1 GB)"
        default:
            "the database in \(folder) reports: \(error.message ?? "error \(error.extendedResultCode.rawValue)")"
        }
    }

    /// Nothing can be written any more.
    static func diskFull(_ folder: String) -> BulkError {
        .noSpace(reason: "the disk of \(folder) is full. Make room there, or give another folder (setting jobs)")
    }

    /// What is in the file is no database, or not a whole one.
    static func damagedDatabase(in folder: String, _ finding: String? = nil) -> BulkError {
        .damaged(
            reason:
                "the database in \(folder) is damaged\(finding.map { " (\($0))" } ?? ""). Move jobs.sqlite and the files "
                + "beside it away to begin anew, which this server notices by itself, or give another folder (setting jobs). "
                + "docs/jobs.md says how jobs are recovered from such a file"
        )
    }
}
