// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL
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
        let base = url ?? "\(server.tls == nil ? "http" : "https")://localhost:\(server.port)"
        let address = (base.hasSuffix("/") ? String(base.dropLast()) : base) + (live ? "/health/live" : "/health/ready")
        let response: HTTPClientResponse
        do {
            var request = HTTPClientRequest(url: address)
            if url == nil {
                // This machine's own server, whose certificate is for the name that others know it by.
                var tls = TLSConfiguration.makeClientConfiguration()
                tls.certificateVerification = .none
                request.tlsConfiguration = tls
            }
            response = try await HTTPClient.shared.execute(request, timeout: .seconds(3))
        } catch {
            throw CommandFailure("\(address) does not answer within 3 seconds; is nereid running there? (\(error))")
        }
        let body = String(buffer: (try? await response.body.collect(upTo: 1 << 16)) ?? ByteBuffer())
        print(body.printable(keeping: ["\n"]))
        guard response.status == .ok else { throw ExitCode.failure }
    }
}
