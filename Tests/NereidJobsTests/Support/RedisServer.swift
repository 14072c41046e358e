// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidJobs
import Synchronization
import TestSupport
import Testing

/// A real redis-server on a free port, which has to be killed by the test that started it.
final class RedisServer: Sendable {
    let port: Int
    let folder: TemporaryFolder
    private let process: Process
    private let arguments: [String]

    static let isInstalled = executable("redis-server") != nil
    static let missing: Comment = "redis-server is not installed; scripts/setup --tests installs it"

    struct NotStarted: Error {}

    /// Starts a server and waits until it takes connections.
    ///
    /// - Parameters:
    ///   - arguments: settings of its own, as on its command line.
    ///   - port: the port, or `nil` for one that is free.
    init(_ arguments: [String] = [], port: Int? = nil, folder: TemporaryFolder? = nil) async throws {
        let folder = try folder ?? TemporaryFolder()
        // A port may be taken by others at any time, or not yet be free again: all that helps is to try.
        for _ in 0..<20 {
            // Below those that systems lend to outgoing connections: one to a server that is away would take its port.
            let port = port ?? Int.random(in: 20_000..<32_768)
            if let process = try await Self.start(["--port", "\(port)"] + arguments, in: folder) {
                (self.port, self.folder, self.process, self.arguments) = (port, folder, process, arguments)
                return
            }
        }
        throw NotStarted()
    }

    // For tests that fail before they come to it.
    deinit { kill() }

    var url: String { "redis://127.0.0.1:\(port)/0" }

    func address() throws -> RedisAddress { try RedisAddress(parsing: url) }

    /// Ends the server, in no orderly way.
    func kill() {
        guard process.isRunning else { return }
        // A thread of Foundation's has lent the server its blocked signals, SIGTERM among them.
        Foundation.kill(process.processIdentifier, SIGKILL)
    }

    /// Lets it take connections and commands, and answer none.
    func hang() { Foundation.kill(process.processIdentifier, SIGSTOP) }

    /// Ends ``hang()``.
    func goOn() { Foundation.kill(process.processIdentifier, SIGCONT) }

    /// The same server anew, on the same port and in the same folder.
    func restarted() async throws -> RedisServer {
        try await RedisServer(arguments, port: port, folder: folder)
    }

    /// A server that takes connections, or `nil` when it has ended instead.
    private static func start(_ arguments: [String], in folder: TemporaryFolder) async throws -> Process? {
        let process = Process()
        process.executableURL = executable("redis-server").map(URL.init(fileURLWithPath:))
        let number = folder.path("redis.pid")
        process.arguments =
            arguments + ["--save", "", "--dir", folder.path, "--bind", "127.0.0.1", "::1", "--pidfile", number]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try? FileManager.default.removeItem(atPath: number)
        try process.runAlone()
        // The server writes its number once it has its port.
        while process.isRunning {
            if let data = FileManager.default.contents(atPath: number), !data.isEmpty { return process }
            try await Task.sleep(for: .milliseconds(5))
        }
        return nil
    }

    private static func executable(_ name: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

private let spawning = Mutex(())

extension Process {
    /// Starts it while no other is being started: a process that is, holds on to what tells Foundation of this one's end.
    func runAlone() throws {
        try spawning.withLock { _ in try run() }
    }
}
