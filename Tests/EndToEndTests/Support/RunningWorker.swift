// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// `nereid worker` as a process of its own.
struct RunningWorker: Sendable {
    let process: ChildProcess
    /// The name by which it takes jobs.
    private let models: [String]

    /// Starts a worker.
    ///
    /// - Parameters:
    ///   - models: names of graphs in Tests/Fixtures, or `NAME=` before one.
    ///   - folder: where to keep what it prints.
    init(
        _ models: [String],
        queue: RunningRedis,
        flags: [String] = ["--instances", "1", "--threads", "1"],
        environment: [String: String] = [:],
        folder: URL
    ) throws {
        self.models = models
        let arguments = models.map { model in
            let parts = model.split(separator: "=")
            let path = Repository.fixture(String(parts[parts.count - 1]))
            return parts.count == 2 ? "\(parts[0])=\(path)" : path
        }
        process = try ChildProcess(
            ChildProcess.nereid,
            ["worker"] + arguments + ["--queue", queue.url, "--port", "0"] + flags,
            environment: environment,
            folder: folder
        )
    }

    /// The address of its health and metrics.
    func url() async throws -> String {
        try await eventually("the worker to listen") {
            guard process.isRunning else { throw RunningServer.ServerHasEnded(errors: process.errors) }
            return process.errors.split(separator: "\n").lazy.filter { $0.contains(" msg=listening ") }
                .compactMap { $0.firstMatch(of: /health=(http:\S+)/)?.output.1 }.first.map(String.init)
        }
    }
}

/// Gateways and workers that share a queue.
struct Cluster: Sendable {
    let redis: RunningRedis
    let folder: URL

    /// Starts Redis for a body.
    static func with<Value>(_ body: (Cluster) async throws -> Value) async throws -> Value {
        try await RunningRedis.with { redis in
            try await TemporaryFolder.with { folder in try await body(Cluster(redis: redis, folder: folder)) }
        }
    }

    /// Starts a gateway for a body.
    ///
    /// - Parameter isReady: whether to wait until a worker serves a model.
    func withGateway<Value>(
        flags: [String] = [],
        isReady: Bool = false,
        _ body: (RunningServer) async throws -> Value
    ) async throws -> Value {
        var setup = RunningServer.Setup(
            models: [],
            flags: ["--queue", redis.url, "--no-workers"] + flags,
            awaitsReadiness: isReady
        )
        setup.environment["NEREID_MODELS"] = ""
        return try await RunningServer.with(setup, body)
    }

    /// Starts a worker for a body, and kills it afterwards unless it has ended.
    func withWorker<Value>(
        _ models: [String],
        flags: [String] = ["--instances", "1", "--threads", "1"],
        environment: [String: String] = [:],
        _ body: (RunningWorker) async throws -> Value
    ) async throws -> Value {
        let worker = try startWorker(models, flags: flags, environment: environment)
        defer { worker.process.kill() }
        return try await body(worker)
    }

    /// Starts a worker that the caller ends.
    func startWorker(
        _ models: [String],
        flags: [String] = ["--instances", "1", "--threads", "1"],
        environment: [String: String] = [:]
    ) throws -> RunningWorker {
        try RunningWorker(models, queue: redis, flags: flags, environment: environment, folder: folder)
    }

    /// One line of `nereid queue status --json`.
    struct Line: Decodable, Equatable {
        let model: String
        let waiting: Int
        let running: Int
        let bytes: Int
        let dead: Int
    }

    /// What `nereid queue status` says.
    func status() async throws -> [Line] {
        let ended = try await ChildProcess.run(arguments: ["queue", "status", "--json", "--queue", redis.url])
        #expect(ended.status == 0, "\(ended.errors)")
        return try JSONDecoder().decode([Line].self, from: Data(ended.output.utf8))
    }
}
