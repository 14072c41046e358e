// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import NIOPosix

extension DatabaseJobStore {
    /// Looks whether the files are still those that were opened, and whole. What is found ends all further use of the store;
    /// what can be saved of removed files is saved before.
    ///
    /// - Returns: what is wrong.
    @discardableResult
    func examine() async -> BulkError? {
        if let damage { return damage }
        let opened = condition.withLock { $0.files }
        let found = try? await NIOThreadPool.singleton.runIfActive { [folder] in
            (
                database: FileIdentity(folder.database), log: FileIdentity(folder.log),
                pages: folder.pagesOfDatabase
            )
        }
        guard let found else { return nil }
        if let before = opened[folder.database] {
            guard let now = found.database, now.isSameFile(as: before) else {
                return await saveRemovedDatabase(isGone: found.database == nil)
            }
            if let pages = found.pages, now.size < pages.count * pages.size {
                declare(.damagedDatabase(in: folder.path, "jobs.sqlite is cut short"))
                return damage
            }
        }
        if let before = opened[folder.log], found.log.map({ $0.isSameFile(as: before) }) != true {
            // Everything is still in the open log: once it is in the database, nothing is lost.
            _ = try? await database.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            declare(
                .damaged(
                    reason:
                        "jobs.sqlite-wal in \(folder.path) was removed or replaced while it was in use. What it held was "
                        + "written to jobs.sqlite, which is opened again by itself. Leave the files of that folder alone"
                )
            )
            return damage
        }
        reserve.examine()
        return nil
    }

    /// Copies what the open connections still hold of a database whose file was removed or replaced, and puts it back where
    /// nothing is in its place.
    private func saveRemovedDatabase(isGone: Bool) async -> BulkError? {
        let name = isGone ? "jobs.sqlite" : "jobs.rescued-\(now).sqlite"
        let (copy, path) = (folder.path + "/jobs.copy.sqlite", folder.path + "/" + name)
        let isSaved = try? await NIOThreadPool.singleton.runIfActive { [database] in
            try? FileManager.default.removeItem(atPath: copy)
            try database.writeWithoutTransaction { try $0.execute(sql: "VACUUM INTO ?", arguments: [copy]) }
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: copy)
            // SQLite removes the log by its name when the last connection ends, which has to be before the copy has that name.
            try database.close()
            try FileManager.default.moveItem(atPath: copy, toPath: path)
            return true
        }
        let outcome =
            isSaved != true
            ? "What it held could not be saved"
            : isGone
                ? "All that it held was put back, and it is opened again by itself"
                : "What the file before held is kept as \(name); docs/jobs.md says how to go back to it"
        declare(
            .damaged(
                reason:
                    "jobs.sqlite in \(folder.path) was \(isGone ? "removed" : "replaced") while it was in use. \(outcome). "
                    + "Stop the server before changing files of that folder"
            )
        )
        return damage
    }
}
