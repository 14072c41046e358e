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
        while try await giveBack() {}
        return forgotten
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

    /// Pages given back at a time: 16 MiB of SQLite's usual 4 KiB.
    private static let pagesAtATime = 4096

    /// Gives back some of the pages that nothing stands in.
    ///
    /// - Returns: whether there may be more.
    private func giveBack() async throws -> Bool {
        try await maintain { database in
            let free = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
            guard free > 0 else { return false }
            // A row for each page: it goes on only while rows are asked for.
            _ = try Row.fetchAll(database, sql: "PRAGMA incremental_vacuum(\(Self.pagesAtATime))")
            return free > Self.pagesAtATime
        }
    }
}
