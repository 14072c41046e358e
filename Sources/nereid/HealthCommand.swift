// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL
import NereidJobs
import NereidModels
import NereidServer

/// Asks a serving process whether it is well, for containers and scripts without an HTTP client.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask a running server or worker whether it is ready; status 0 when it is.",
        discussion: """
            Without a URL it asks the process on this machine, on the port that NEREID_PORT or --port says; over TLS, of any \
            certificate, when the NEREID_TLS variables say that it has one. It waits three seconds at the most.
            """
    )

    @Argument(help: "The server (http://localhost:8080).")
    var url: String?

    @Option(help: "The port on this machine, instead of a URL (8080; also NEREID_PORT, SERVER_PORT).")
    var port: String?

    @Flag(help: "Ask only whether the process answers, not whether its models are loaded and its queue is reachable.")
    var live = false

    func run() async throws {
        let layers = try SettingsLayers(
            flags: port.map { [.port: $0] } ?? [:],
            environment: ProcessInfo.processInfo.environment
        )
        let server = try ServerConfiguration(layers)
        let base =
            url.map { $0.contains("://") ? $0 : "http://\($0)" }
            ?? "\(server.tls == nil ? "http" : "https")://localhost:\(server.port)"
        let address = (base.hasSuffix("/") ? String(base.dropLast()) : base) + (live ? "/health/live" : "/health/ready")
        let (isWell, body) = try await ask(address)
        print(body.printable(keeping: ["\n"]))
        guard isWell else { throw ExitCode.failure }
    }

    private func ask(_ address: String) async throws -> (isWell: Bool, body: String) {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = Self.patience
        // A connection that is refused is an answer.
        configuration.connectionPool.retryConnectionEstablishment = false
        if url == nil {
            // This machine's own server, whose certificate is for the name that others know it by.
            configuration.tlsConfiguration = .makeClientConfiguration()
            configuration.tlsConfiguration?.certificateVerification = .none
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<(Bool, String), any Error>
        do {
            let response = try await client.execute(HTTPClientRequest(url: address), timeout: Self.patience)
            let body = String(buffer: (try? await response.body.collect(upTo: 1 << 16)) ?? ByteBuffer())
            result = .success((response.status == .ok, body))
        } catch {
            result = .failure(CommandFailure(Self.words(for: ConnectionTrouble(http: error), address)))
        }
        try? await client.shutdown()
        return try result.get()
    }

    private static let patience = TimeAmount.seconds(3)

    /// What happened, and where to look.
    static func words(for trouble: ConnectionTrouble, _ address: String) -> String {
        switch trouble {
        case .refused:
            "the connection to \(address) was refused: nothing listens there. Is nereid running, and is this its port?"
        case .timedOut:
            "\(address) does not answer within 3 seconds. The server hangs or is overloaded, or a firewall drops the "
                + "connection"
        case .nameNotFound(let host):
            "\(address) can't be asked: the name ‘\(host)’ is not known. Check its spelling and this machine's DNS"
        case .unreachable(let reason): "\(address) can't be reached: \(reason). Check the address and the network"
        case .tls(let reason): "\(address) can't be asked over TLS: \(reason)"
        case .closed:
            "the server closed the connection to \(address) before it answered. Does it expect https instead of http?"
        case .other(let reason): "\(address) can't be asked: \(reason)"
        }
    }
}
