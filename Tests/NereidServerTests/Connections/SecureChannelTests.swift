// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOSSL
import TestSupport
import Testing

@testable import NereidServer

@Suite(
    "TLS",
    .enabled(if: TestAuthority.isAvailable, "openssl is missing; run scripts/setup --tests"),
    .timeLimit(.minutes(1))
)
struct SecureChannelTests {
    private static let request = Array("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)

    /// All that a server says until it closes.
    private func everything(_ client: FrameClient) async -> String {
        var text = ""
        _ = await client.next { event -> Void? in
            if case .bytes(let bytes) = event { text += String(buffer: bytes) }
            return nil
        }
        return text
    }

    @Test("carries HTTP/1.1 for a client that knows nothing newer, or names nothing", arguments: ["http/1.1", "other"])
    func http1(name: String) async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server, .bytes(over: name)) { client in
                try await client.send(Self.request)
                #expect(await everything(client).hasPrefix("HTTP/1.1 200 OK"))
            }
        }
    }

    @Test(
        "is 1.2 or newer",
        arguments: [(TLSVersion.tlsv13, true), (.tlsv12, true), (.tlsv11, false), (.tlsv1, false)]
    )
    func versions(newest: TLSVersion, works: Bool) async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server, .bytes(over: "http/1.1"), newest: newest) { client in
                if works {
                    try await client.send(Self.request)
                } else {
                    try? await client.send(Self.request)
                }
                #expect(await everything(client).hasPrefix("HTTP/1.1 200 OK") == works)
            }
        }
    }

    @Test("is not spoken to without it")
    func plain() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server, .plain) { client in
                try await client.send(Self.request)
                await client.closed()
            }
        }
    }

    /// What a client says that then does not go on: nothing, and the beginning of a greeting.
    @Test("closes a connection that does not shake hands, after idle_timeout", arguments: [[], [0x16, 3, 1, 2, 0, 1]])
    func stalledHandshake(bytes: [UInt8]) async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.idleTimeout = .milliseconds(300)
        } _: { server in
            let begun = ContinuousClock.now
            try await FrameClient.with(server, .plain) { client in
                if !bytes.isEmpty { try await client.send(bytes) }
                await client.closed()
                #expect(ContinuousClock.now - begun >= .milliseconds(290))
            }
        }
    }

    @Test("closes a connection whose handshake drips in, after idle_timeout")
    func drippingHandshake() async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.idleTimeout = .milliseconds(300)
        } _: { server in
            let begun = ContinuousClock.now
            try await FrameClient.with(server, .plain) { client in
                // A record of 16,000 bytes that would take minutes.
                try await client.send([0x16, 3, 1, 0x3E, 0x80, 1, 0, 0x3E, 0x7C, 3, 3])
                do {
                    while ContinuousClock.now - begun < .seconds(20) {
                        try await client.send([0])
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    Issue.record("the connection is still open")
                } catch {
                    #expect(ContinuousClock.now - begun >= .milliseconds(290))
                }
            }
        }
    }

    @Test(
        "counts connections that do not shake hands, answers for health beside them, and gives their places to others"
    )
    func maxConnections() async throws {
        try await SecureServer.with(hosts: ["localhost"]) {
            $0.maxConnections = 1
        } _: { server in
            try await FrameClient.with(server, .plain) { rude in
                func ask(_ path: String) async throws -> String {
                    var answer = ""
                    try await FrameClient.with(server, .bytes(over: "http/1.1")) { client in
                        let text = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                        // It may have been told to give way.
                        try? await client.send(Array(text.utf8))
                        answer = await everything(client)
                    }
                    return answer
                }
                #expect(try await ask("/health/live").hasPrefix("HTTP/1.1 200 OK"))
                while try await !ask("/v1/models").hasPrefix("HTTP/1.1 200 OK") {}
                await rude.closed()
            }
        }
    }

    @Test("does not keep a server from stopping while hands are shaken")
    func shutdownInHandshake() async throws {
        try await SecureServer.with { server in
            try await FrameClient.with(server, .plain) { client in
                // Connections are taken in turn: when a later one is answered, this one is there.
                try await FrameClient.with(server, .bytes(over: "http/1.1")) { later in
                    try await later.send(Self.request)
                    #expect(await everything(later).hasPrefix("HTTP/1.1 200 OK"))
                }
                await server.stop()
                await client.closed()
                try await server.ended()
            }
        }
    }

    @Test("serves a changed certificate to those who come after, while others stay")
    func reload() async throws {
        try await SecureServer.with(hosts: ["old.example"]) { server in
            try await FrameClient.with(server, host: "old.example") { client in
                try await client.request("GET", "/health/live", on: 1, ends: true)
                #expect(await client.answer(on: 1)?.status == "200")
                try server.authority.issue(["new.example"], as: "a", in: server.folder)
                server.certificates.look(at: Date())
                try await FrameClient.with(server, host: "new.example") { other in
                    try await other.request("GET", "/health/live", on: 1, ends: true)
                    #expect(await other.answer(on: 1)?.status == "200")
                }
                try await FrameClient.with(server, .bytes(over: "h2"), host: "old.example") { other in
                    try? await other.send(RawFrame.preface)
                    await other.closed()
                }
                try await client.request("GET", "/health/live", on: 3, ends: true)
                #expect(await client.answer(on: 3)?.status == "200")
            }
        }
    }
}
