// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// A program in the Python of `scripts/setup --tests`, which has to be ended by the test that started it.
final class PythonProcess: Sendable {
    private let process: Process

    /// This file is Tests/NereidJobsTests/Support/PythonProcess.swift of the repository.
    static let repository = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent()
    }
    private static let python = repository.appendingPathComponent(".venv/bin/python")

    /// Whether workers in Python can be run.
    static let canServe = {
        let process = Process()
        process.executableURL = python
        process.arguments = ["-c", "import numpy, PIL, redis"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.runAlone()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()
    static let missing: Comment = "the Python packages redis, Pillow and numpy are not there; run scripts/setup --tests"

    /// Starts a program.
    ///
    /// - Parameter path: where it is in the repository.
    init(_ path: String, _ arguments: [String] = [], environment: [String: String] = [:]) throws {
        process = Process()
        process.executableURL = Self.python
        // A thread of Foundation's lends its blocked signals, SIGTERM among them, which a worker is to hear.
        let start = """
            import os, signal, sys
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
            """
        process.arguments = ["-c", start, Self.repository.appendingPathComponent(path).path] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
            .merging(["PYTHONDONTWRITEBYTECODE": "1"]) { _, new in new }
        try process.runAlone()
    }

    // For tests that fail before they come to it.
    deinit { kill() }

    /// Sends SIGTERM.
    func terminate() {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGTERM) }
    }

    /// Ends it, in no orderly way.
    func kill() {
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
    }

    /// Waits for its end, and gives its exit status.
    func end() async throws -> Int32 {
        while process.isRunning { try await Task.sleep(for: .milliseconds(5)) }
        return process.terminationStatus
    }
}

extension PythonProcess {
    /// Whether the system's Python is there, with SQLite.
    static let hasSQLite = (try? run("import sqlite3")) == 0

    /// How many jobs another program finds in a database.
    static func countJobs(in database: String) throws -> Int {
        let code = """
            import sqlite3, sys
            database = sqlite3.connect(sys.argv[1])
            count = database.execute('SELECT COUNT(*) FROM job').fetchone()[0]
            database.close()
            sys.exit(count)
            """
        return Int(try run(code, database))
    }

    private static func run(_ code: String, _ arguments: String...) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", code] + arguments
        process.standardError = FileHandle.nullDevice
        try process.runAlone()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
