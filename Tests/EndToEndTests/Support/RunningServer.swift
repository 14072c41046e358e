// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL
import Testing

/// `nereid serve` as a process of its own, with a client for it.
struct RunningServer: Sendable {
    let process: ChildProcess
    /// `http://localhost:PORT`, or `https:` when it speaks TLS.
    let url: String
    let client: HTTPClient

    var port: Int { URL(string: url)?.port ?? 0 }

    /// What a server is to be started with.
    struct Setup: Sendable {
        var program = ChildProcess.nereid
        var workingFolder = Repository.root
        var arguments: [String]
        var environment: [String: String]
        /// The certificate of the authority that the client trusts, where the server speaks TLS.
        var authority: String?
        /// Whether to wait until every model is loaded.
        var awaitsReadiness = true
        /// The status that the process must end with: 0 unless the test ends it by force.
        var endsWith: Int32 = 0

        /// - Parameter models: paths, or names of graphs in Tests/Fixtures.
        init(
            models: [String],
            flags: [String] = [],
            environment: [String: String] = [:],
            awaitsReadiness: Bool = true,
            endsWith: Int32 = 0
        ) {
            let paths = models.map { $0.contains("/") ? $0 : Repository.fixture($0) }
            // Of a flag that is given twice, the last one counts.
            arguments = ["serve"] + paths + ["--port", "0", "--shutdown-delay", "0"] + flags
            self.environment = environment
            self.awaitsReadiness = awaitsReadiness
            self.endsWith = endsWith
        }

        /// With nothing but what the environment says.
        init(environment: [String: String]) {
            arguments = ["serve"]
            self.environment = environment
        }
    }

    /// Starts a server on a free port, and stops it when the body is done, whatever comes of it.
    ///
    /// A server that can't be stopped, or ends with another status than expected, is a failure of the test.
    static func with<Value>(_ setup: Setup, _ body: (RunningServer) async throws -> Value) async throws -> Value {
        try await TemporaryFolder.with { folder in
            let process = try ChildProcess(
                setup.program,
                setup.arguments,
                environment: setup.environment,
                folder: folder,
                workingFolder: setup.workingFolder
            )
            let result: Result<Value, any Error>
            do {
                result = .success(try await use(process, setup, body))
            } catch {
                result = .failure(error)
            }
            process.terminate()
            let status = try await process.exitStatus()
            #expect(status == setup.endsWith, "the server's last words:\n\(process.errors.suffix(2000))")
            return try result.get()
        }
    }

    private static func use<Value>(
        _ process: ChildProcess,
        _ setup: Setup,
        _ body: (RunningServer) async throws -> Value
    ) async throws -> Value {
        let url = try await eventually("the server to listen") {
            guard process.isRunning else { throw ServerHasEnded(errors: process.errors) }
            return process.errors.split(separator: "\n").lazy.filter { $0.contains(" msg=listening ") }
                .compactMap { $0.firstMatch(of: /page=(https?:\S+)/)?.output.1 }.first.map(String.init)
        }
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1000
        if let authority = setup.authority {
            var trust = TLSConfiguration.makeClientConfiguration()
            trust.trustRoots = .file(authority)
            configuration.tlsConfiguration = trust
        }
        let server = RunningServer(process: process, url: url, client: HTTPClient(configuration: configuration))
        let result: Result<Value, any Error>
        do {
            if setup.awaitsReadiness { try await server.becomesReady() }
            result = .success(try await body(server))
        } catch {
            result = .failure(error)
        }
        try await server.client.shutdown()
        return try result.get()
    }

    struct ServerHasEnded: Error, CustomStringConvertible {
        let errors: String
        var description: String { "the server has ended: \(errors)" }
    }
}

extension RunningServer {
    /// The server that the suite's tests share; see ``ServingTrait``.
    static var shared: RunningServer {
        get throws { try #require(current, "the suite has no server; give it the trait .serving") }
    }

    @TaskLocal fileprivate static var current: RunningServer?
}

/// Starts one server for all tests of a suite.
struct ServingTrait: SuiteTrait, TestScoping {
    let setup: RunningServer.Setup

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await RunningServer.with(setup) { server in
            try await RunningServer.$current.withValue(server) { try await function() }
        }
    }
}

extension Trait where Self == ServingTrait {
    /// One server, with graphs of Tests/Fixtures, for all tests of the suite: ``RunningServer/shared``.
    static func serving(_ models: String..., flags: String...) -> Self {
        ServingTrait(setup: .init(models: models, flags: flags))
    }
}
