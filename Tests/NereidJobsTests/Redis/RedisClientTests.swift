// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOCore
import TestSupport
import Testing

@testable import NereidJobs

@Suite("Redis client", .enabled(if: RedisServer.isInstalled, RedisServer.missing), .timeLimit(.minutes(2)))
struct RedisClientTests {
    static let quiet = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

    static func client(_ url: String, patience: Duration = .seconds(3)) throws -> RedisClient {
        RedisClient(try RedisAddress(parsing: url), patience: patience, logger: quiet)
    }

    @Test("carries any bytes there and back, over IPv4 and IPv6, in the database of the URL")
    func roundTrip() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        var generator = SystemRandomNumberGenerator()
        let bytes = ByteBuffer(bytes: (0..<3_000_000).map { _ in UInt8.random(in: 0...255, using: &generator) })
        let there = try Self.client("redis://127.0.0.1:\(server.port)/3")
        #expect(try await there.send(RedisCommand("SET", "picture", .bytes(bytes))) == .status("OK"))
        let back = try Self.client("redis://[::1]:\(server.port)/3")
        #expect(try await back.send(RedisCommand("GET", "picture")) == .bytes(bytes))
        let elsewhere = try Self.client("redis://localhost:\(server.port)")
        #expect(try await elsewhere.send(RedisCommand("GET", "picture")) == .null)
    }

    @Test("gives many who share it each their own reply")
    func pipelining() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try Self.client(server.url)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<500 {
                group.addTask { try await client.send(RedisCommand("ECHO", .integer(number))).integer == number }
            }
            for try await isRight in group { #expect(isRight) }
        }
        let replies = try await client.send([
            RedisCommand("INCR", "n"), RedisCommand("LPOP", "n"), RedisCommand("INCR", "n"),
        ])
        #expect(replies[0] == .integer(1) && replies[2] == .integer(2))
        guard case .error(let reason) = replies[1] else {
            Issue.record("no error of its own")
            return
        }
        #expect(reason.hasPrefix("WRONGTYPE"))
        #expect(try await client.send(RedisCommand("CLIENT", "LIST")).text?.split(separator: "\n").count == 1)
    }

    @Test("is let in with password and user, and says why when it is not")
    func access() async throws {
        let server = try await RedisServer([
            "--requirepass", "p@ss", "--user", "worker", "on", ">secret", "~*", "+@all",
        ])
        defer { server.kill() }
        for credentials in [":p%40ss", "default:p%40ss", "worker:secret"] {
            let client = try Self.client("redis://\(credentials)@127.0.0.1:\(server.port)")
            #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
        }
        for (credentials, reason) in [("", "NOAUTH"), ("worker:wrong@", "WRONGPASS"), ("nobody:x@", "WRONGPASS")] {
            let client = try Self.client("redis://\(credentials)127.0.0.1:\(server.port)")
            let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("PING")) }
            #expect(error?.description.contains("does not let us in: \(reason)") == true)
        }
        let far = try Self.client("redis://:p%40ss@127.0.0.1:\(server.port)/99")
        let error = await #expect(throws: RedisError.self) { try await far.send(RedisCommand("PING")) }
        #expect(error?.description.contains("DB index is out of range") == true)
    }

    @Test("says where nobody answers")
    func unreachable() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        server.kill()
        let client = try Self.client(server.url, patience: .milliseconds(200))
        let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("PING")) }
        #expect(error?.description.hasPrefix("Redis at \(server.url) can't be reached") == true)
    }

    @Test("comes back when the server does, and those who waited for a reply are told")
    func reconnection() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try Self.client(server.url, patience: .seconds(20))
        let reader = try await client.ownConnection()
        let blocked = Task { try await reader.send(RedisCommand("BLPOP", "nothing", 30), blocking: .seconds(30)) }
        while try await client.send(RedisCommand("INFO", "clients")).text?.contains("blocked_clients:1") != true {}
        server.kill()
        await #expect(throws: RedisError.self) { try await blocked.value }
        let waiting = Task {
            do {
                return try await client.send(RedisCommand("PING"))
            } catch RedisError.connectionLost {
                // It was asked before it knew what the reader knew.
                return try await client.send(RedisCommand("PING"))
            }
        }
        let again = try await server.restarted()
        defer { again.kill() }
        #expect(try await waiting.value == .status("PONG"))
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
    }

    @Test("sends what was asked before it leaves, and nothing after")
    func leaving() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let client = try Self.client(server.url)
        #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
        let last = Task { try await client.send(RedisCommand("SET", "a", "b")) }
        #expect(try await last.value == .status("OK"))
        client.shutDown()
        await #expect(throws: RedisError.closed) { try await client.send(RedisCommand("PING")) }
    }

    @Test("speaks TLS to servers whose certificates it trusts, and to no others")
    func encryption() async throws {
        let folder = try TemporaryFolder()
        guard try Self.makeCertificate(in: folder) else { return }
        let plain = Int.random(in: 20_000..<32_768)
        let server = try await RedisServer(
            [
                "--tls-port", "\(plain)", "--tls-auth-clients", "no", "--tls-cert-file", folder.path("certificate.pem"),
                "--tls-key-file", folder.path("key.pem"),
            ],
            folder: folder
        )
        defer { server.kill() }
        let trusted = try Self.client("rediss://localhost:\(plain)?ca=\(folder.path("certificate.pem"))")
        #expect(try await trusted.send(RedisCommand("PING")) == .status("PONG"))
        let untrusted = try Self.client("rediss://localhost:\(plain)", patience: .milliseconds(100))
        await #expect(throws: RedisError.self) { try await untrusted.send(RedisCommand("PING")) }
        let missing = try Self.client("rediss://localhost:\(plain)?ca=/no/such.pem")
        let error = await #expect(throws: RedisError.self) { try await missing.send(RedisCommand("PING")) }
        #expect(error?.description.contains("/no/such.pem") == true)
    }

    /// Signs a certificate for localhost; `false` where openssl is not installed.
    private static func makeCertificate(in folder: TemporaryFolder) throws -> Bool {
        let openssl = "/usr/bin/openssl"
        guard FileManager.default.isExecutableFile(atPath: openssl) else { return false }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: openssl)
        process.arguments =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            + ["-keyout", folder.path("key.pem"), "-out", folder.path("certificate.pem")]
        process.standardError = FileHandle.nullDevice
        try process.runAlone()
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
