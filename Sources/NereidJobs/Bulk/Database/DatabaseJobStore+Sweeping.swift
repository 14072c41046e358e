// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import GRDB

extension DatabaseJobStore {
    /// Forgets the jobs whose time is over, and gives the disk back what nothing stands in any more.
    ///
    /// - Returns: how many were forgotten.
    @discardableResult
    func sweep() async throws -> Int {
        let now = now
        var forgotten = 0
        // One at a time: who wants to write meanwhile waits for one job to go, not for all.
        while let id = try await forgetOne(before: now) {
            forgotten += 1
            signals.changed(id)
        }
        try await shrink()
        restoreReserve()
        return forgotten
    }

    /// Gives the disk back what nothing stands in any more, of the database and of its log.
    private func shrink() async throws {
        var isSmaller = false
        while try await giveBack() { isSmaller = true }
        // Files become smaller when what the log says of them is done. Readers of an older state may hold that up until the next time.
        if isSmaller { _ = try? await maintain { try $0.checkpoint(.truncate) } }
    }

    private func forgetOne(before now: Int) async throws -> String? {
        try await write { database in
            try String.fetchOne(
                database,
                sql: """
                    DELETE FROM job WHERE number = (SELECT number FROM job WHERE expires <= ? ORDER BY expires LIMIT 1)
                    RETURNING id
                    """,
                arguments: [now]
            )
        }
    }

    /// Pages given back at a time: 4 MiB of SQLite's usual 4 KiB, which pass through the log; on a full disk 256 KiB.
    private var pagesAtATime: Int { reserve.isHeld ? 1024 : 64 }

    /// Gives back some of the pages that nothing stands in.
    ///
    /// - Returns: whether there were any.
    private func giveBack() async throws -> Bool {
        let most = pagesAtATime
        let isFull = condition.withLock { $0.isFull }
        return try await maintain { database in
            let free = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
            guard free > 0 else { return false }
            // A row for each page: it goes on only while rows are asked for.
            _ = try Row.fetchAll(database, sql: "PRAGMA incremental_vacuum(\(most))")
            if isFull { _ = try? database.checkpoint(.truncate) }
            return try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0 < free
        }
    }
}
