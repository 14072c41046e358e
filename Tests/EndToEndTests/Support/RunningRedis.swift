// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// A real redis-server on a free port, which writes down what it holds, so that it can be killed and started again.
struct RunningRedis: Sendable {
    let port: Int
    private let folder: URL
    private let process: ChildProcess

    private static let program = Repository.program("redis-server")
    static let isInstalled = program != nil
    static let isMissing: Comment = "redis-server is not installed; scripts/setup --tests installs it"

    /// What jobs are sent to.
    var url: String { "redis://127.0.0.1:\(port)/0" }

    /// Starts a server for a body.
    static func with<Value>(_ body: (RunningRedis) async throws -> Value) async throws -> Value {
        try await TemporaryFolder.with { folder in
            let redis = try await start(in: folder, ports: (0..<20).map { _ in Int.random(in: 20_000..<60_000) })
            let result: Result<Value, any Error>
            do {
                result = .success(try await body(redis))
            } catch {
                result = .failure(error)
            }
            // By its number: the body may have started it again.
            if let number = pid(in: folder) { Foundation.kill(number, SIGKILL) }
            return try result.get()
        }
    }

    /// Ends it, in no orderly way.
    func kill() {
        process.kill()
        if let number = Self.pid(in: folder) { Foundation.kill(number, SIGKILL) }
    }

    /// Kills it, and starts it again on the same port with what it has written down.
    func restart() async throws {
        kill()
        _ = try await Self.start(in: folder, ports: Array(repeating: port, count: 20))
    }

    private static func start(in folder: URL, ports: [Int]) async throws -> RunningRedis {
        let program = try #require(program)
        for port in ports {
            try? FileManager.default.removeItem(at: pidFile(in: folder))
            let process = try ChildProcess(
                program,
                [
                    "--port", "\(port)", "--bind", "127.0.0.1", "--dir", folder.path, "--save", "", "--appendonly",
                    "yes",
                    "--maxmemory-policy", "noeviction", "--maxmemory", "1gb", "--pidfile", pidFile(in: folder).path,
                ],
                folder: folder
            )
            // It writes its number once it has its port.
            while process.isRunning {
                if pid(in: folder) != nil { return RunningRedis(port: port, folder: folder, process: process) }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        throw WaitedInVain(description: "redis-server does not start")
    }

    private static func pidFile(in folder: URL) -> URL { folder.appendingPathComponent("redis.pid") }

    private static func pid(in folder: URL) -> Int32? {
        (try? String(contentsOf: pidFile(in: folder), encoding: .utf8))
            .flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
}
