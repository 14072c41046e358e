// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import GRDB

/// The tables of the jobs' database.
///
/// Times are milliseconds since 1970. Pictures' bytes and answers stand apart from the rows that are read to count and to
/// choose, so that these stay small.
enum JobSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: jobs") { database in
            try database.execute(sql: first)
        }
        migrator.registerMigration("2: documents") { database in
            try database.execute(sql: "ALTER TABLE result ADD COLUMN isDocument INTEGER NOT NULL DEFAULT 0")
        }
        migrator.registerMigration("3: trace") { database in
            try database.execute(sql: "ALTER TABLE job ADD COLUMN trace TEXT")
        }
        return migrator
    }

    /// How each connection is set up.
    static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "jobs"
        configuration.busyMode = .timeout(10)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { database in
            guard !database.configuration.readonly else { return }
            // Before the first table, or it has no effect: pages of answered pictures can be given back then.
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            // An order of gigabytes passes through the log, which would keep that size.
            try database.execute(sql: "PRAGMA journal_size_limit = 67108864")
        }
        return configuration
    }

    private static let first = """
        CREATE TABLE job (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            model TEXT NOT NULL,
            options TEXT NOT NULL,
            created INTEGER NOT NULL,
            finished INTEGER,
            expires INTEGER,
            pictures INTEGER NOT NULL,
            done INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            waitingBytes INTEGER NOT NULL,
            idempotencyKey TEXT UNIQUE,
            digest BLOB,
            webhook TEXT,
            noticeState TEXT,
            noticeReason TEXT,
            noticeAttempts INTEGER NOT NULL DEFAULT 0,
            noticeDue INTEGER
        ) STRICT;

        CREATE INDEX jobUnfinished ON job (number) WHERE finished IS NULL;
        CREATE INDEX jobExpiry ON job (expires) WHERE expires IS NOT NULL;
        CREATE INDEX jobNotice ON job (noticeDue, number) WHERE noticeDue IS NOT NULL;

        CREATE TABLE picture (
            job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
            position INTEGER NOT NULL,
            name TEXT,
            bytes INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            isAnswered INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (job, position)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE upload (
            job INTEGER NOT NULL,
            position INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            UNIQUE (job, position),
            FOREIGN KEY (job, position) REFERENCES picture ON DELETE CASCADE
        ) STRICT;

        CREATE TABLE result (
            job INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
            sequence INTEGER NOT NULL,
            position INTEGER NOT NULL,
            answer BLOB NOT NULL,
            UNIQUE (job, sequence),
            UNIQUE (job, position)
        ) STRICT;
        """
}
