// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging
import NereidJobs
import ServiceLifecycle
import TestSupport

@testable import NereidServer

/// A server that speaks TLS, with the certificate of an authority made for it, on a free port.
struct SecureServer: Sendable {
    let port: Int
    let authority: TestAuthority
    /// Where its certificate is: `a.pem` and `a.key`.
    let folder: TemporaryFolder
    let certificates: CertificateKeeper
    /// Tells it to stop, as a signal would.
    let stop: @Sendable () async -> Void
    /// Returns when it has ended.
    let ended: @Sendable () async throws -> Void

    /// Runs a server while the body runs.
    static func with(
        hosts: [String] = ["localhost"],
        queue: (any JobQueue)? = nil,
        _ configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (SecureServer) async throws -> Void
    ) async throws {
        let (folder, authority) = (try TemporaryFolder(), try TestAuthority())
        try authority.issue(hosts, as: "a", in: folder)
        var quiet = Logger(label: "tests", factory: { StreamLogHandler.standardError(label: $0) })
        quiet.logLevel = .critical
        let certificates = try CertificateKeeper(
            .files(certificate: folder.path("a.pem"), privateKey: folder.path("a.key")),
            logger: quiet
        )
        let (ports, port) = AsyncStream<Int>.makeStream()
        let server = try await TestServer(
            queue: queue,
            {
                $0.shutdownDelay = .zero
                configure(&$0)
            },
            certificates: certificates,
            onListening: { port.yield($0) }
        )
        let group = ServiceGroup(services: [server.server], logger: quiet)
        let running = Task { try await group.run() }
        var iterator = ports.makeAsyncIterator()
        let secure = SecureServer(
            port: await iterator.next() ?? 0,
            authority: authority,
            folder: folder,
            certificates: certificates,
            stop: { await group.triggerGracefulShutdown() },
            ended: { try await running.value }
        )
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(secure))
        } catch {
            result = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await running.value
        try result.get()
    }
}
