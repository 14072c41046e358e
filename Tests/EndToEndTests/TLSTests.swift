// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import TestSupport
import Testing

@Suite(
    "Serving over TLS",
    .inTurn,
    .enabled(
        if: TestAuthority.isAvailable && Repository.program("curl") != nil,
        "openssl or curl is missing; run scripts/setup --tests"
    )
)
struct TLSTests {
    private let block = Block(column: 4, row: 0, colour: .green)
    private let authority: TestAuthority
    private let folder: TestSupport.TemporaryFolder

    private static let curl = Repository.program("curl")

    init() throws {
        authority = try TestAuthority()
        folder = try TestSupport.TemporaryFolder()
        try authority.issue(as: "a", in: folder)
    }

    private func setup(_ models: String..., flags: String...) -> RunningServer.Setup {
        var setup = RunningServer.Setup(
            models: models,
            flags: ["--tls-certificate", folder.path("a.pem"), "--tls-private-key", folder.path("a.key")] + flags
        )
        setup.authority = authority.certificate
        return setup
    }

    /// What curl has got: the body, the version of HTTP and the status.
    private struct Got {
        let status: Int32
        let body: String
        let version: String
        let code: String
        let errors: String
    }

    private func curl(
        _ url: String,
        trusting authority: TestAuthority? = nil,
        _ arguments: String...
    ) async throws -> Got {
        let all = [
            "-sS", "--cacert", (authority ?? self.authority).certificate, "-w", "\n%{http_version} %{http_code}",
        ]
        let ended = try await ChildProcess.run(try #require(Self.curl), arguments: all + arguments + [url])
        let lines = ended.output.split(separator: "\n", omittingEmptySubsequences: false)
        let words = lines.last?.split(separator: " ").map(String.init) ?? []
        return Got(
            status: ended.status,
            body: lines.dropLast().joined(separator: "\n"),
            version: words.first ?? "",
            code: words.last ?? "",
            errors: ended.errors
        )
    }

    @Test("A picture is answered over HTTP/2 and over HTTP/1.1", arguments: [("--http2", "2"), ("--http1.1", "1.1")])
    func picture(flag: String, version: String) async throws {
        let file = folder.url.appendingPathComponent("picture.png")
        try ByteBuffer.blocks(block).write(to: file)
        try await RunningServer.with(setup("blocks-v8")) { server in
            #expect(server.url == "https://localhost:\(server.port)")
            try await server.expectCorrectAnswer()
            let url = server.url + RunningServer.path(of: "blocks-v8")
            let got = try await curl(url, flag, "--data-binary", "@\(file.path)")
            #expect((got.status, got.version, got.code) == (0, version, "200"))
            let answer = try JSONDecoder().decode(Prediction.self, from: Data(got.body.utf8))
            #expect(answer.detections == [block.detection])
            #expect(try await curl(server.url + "/metrics", flag).body.contains("nereid_upload_bytes"))
            // Who does not know the authority does not trust the server.
            #expect(try await curl(url, trusting: TestAuthority(name: "Another"), flag).status == 60)
        }
    }

    @Test("A folder as traefik has it serves each host its own certificate")
    func hosts() async throws {
        try authority.issue(["reef.example", "*.reef.example"], as: "reef", in: folder, by: .intermediate)
        try folder.write(
            """
            [[tls.certificates]]
              certFile = "/certs-of-nobody/a.pem"
              keyFile = "/certs-of-nobody/a.key"
            [[tls.certificates]]
              certFile = "reef.pem"
              keyFile = "reef.key"
            """,
            to: "certificates.toml"
        )
        var setup = RunningServer.Setup(
            models: ["blocks-v8"],
            flags: ["--tls-config", folder.path, "--hosts", "reef.example,*.reef.example"]
        )
        setup.authority = authority.certificate
        try await RunningServer.with(setup) { server in
            for host in ["localhost", "reef.example", "deep.reef.example"] {
                let url = "https://\(host):\(server.port)/health/live"
                let got = try await curl(url, "--resolve", "\(host):\(server.port):127.0.0.1")
                #expect((got.status, got.code) == (0, "200"), "\(host): \(got.errors)")
            }
            let other = try await curl(
                "https://lab.example:\(server.port)/health/live",
                "--resolve",
                "lab.example:\(server.port):127.0.0.1"
            )
            #expect(other.status == 60)
        }
    }

    @Test("A renewed certificate is served without a restart, and a broken one is not")
    func reload() async throws {
        let next = try TestAuthority(name: "Next authority")
        try await RunningServer.with(setup("blocks-v8")) { server in
            try await server.expectCorrectAnswer()
            let url = server.url + "/health/live"
            #expect(try await curl(url, trusting: next).status == 60)
            try next.issue(as: "a", in: folder)
            try await eventually("the new certificate") { try await (curl(url, trusting: next).status == 0).orNil }
            // Over the connection that it has kept.
            try await server.expectCorrectAnswer()

            try folder.write("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n", to: "a.pem")
            try await eventually("the log to tell") {
                server.process.errors.contains("changed certificates can't be used, the old ones stay").orNil
            }
            #expect(server.process.errors.contains("\(folder.path("a.pem")) can't be used: what stands between"))
            #expect(try await curl(url, trusting: next).status == 0)
        }
    }

    @Test("Told to stop, the server finishes the streams it has taken")
    func shutdown() async throws {
        let setup = setup("slow", flags: "--instances", "1", "--threads", "1")
        try await RunningServer.with(setup) { server in
            let picture = try ByteBuffer.blocks(block)
            let count = 4
            let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
                for _ in 0..<count { group.addTask { try await server.predict(picture, model: "slow") } }
                try await eventually("the requests to be taken") {
                    try await (server.pending("slow") == count).orNil
                }
                server.process.terminate()
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.status) == Array(repeating: 200, count: count))
            #expect(try await server.process.exitStatus() == 0)
        }
    }

    @Test("What still runs after shutdown_timeout is cut off", arguments: ["--http2", "--http1.1"])
    func shutdownTimeout(flag: String) async throws {
        let setup = setup("blocks-v8", flags: "--shutdown-timeout", "1")
        try await RunningServer.with(setup) { server in
            // Its body comes from a pipe in which nothing comes.
            let pipe = folder.path("pipe")
            #expect(mkfifo(pipe, 0o600) == 0)
            let writer = open(pipe, O_RDWR)
            defer { close(writer) }
            let client = try ChildProcess(
                try #require(Self.curl),
                ["-sS", flag, "--cacert", authority.certificate, "-T", pipe, "-X", "POST", "-v"]
                    + [server.url + RunningServer.path(of: "blocks-v8")],
                folder: folder.url
            )
            try await eventually("the request to be sent") { client.errors.contains("> POST").orNil }
            // Connections are taken in turn: when a later one is answered, this one is there.
            try await server.expectCorrectAnswer()
            server.process.terminate()
            #expect(try await server.process.exitStatus(within: .seconds(10)) == 0)
            client.kill()
            _ = try await client.exitStatus()
        }
    }

    @Test("A client that connects and says nothing is sent away after idle_timeout, and nobody waits longer")
    func silentClients() async throws {
        let setup = setup("blocks-v8", flags: "--idle-timeout", "1", "--max-connections", "3")
        try await RunningServer.with(setup) { server in
            var silent: [RawConnection] = []
            for _ in 0..<6 { silent.append(try await RawConnection.open(to: server)) }
            #expect(try await curl(server.url + "/health/live", "--max-time", "12").code == "200")
            for connection in silent { try await connection.ends() }
        }
    }

    @Test("nereid health asks over TLS where the settings say so")
    func health() async throws {
        try await RunningServer.with(setup("blocks-v8")) { server in
            let ended = try await ChildProcess.run(
                arguments: ["health", "--port", "\(server.port)"],
                environment: [
                    "NEREID_TLS_CERTIFICATE": folder.path("a.pem"), "NEREID_TLS_PRIVATE_KEY": folder.path("a.key"),
                ]
            )
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.output.contains("ready"))
        }
    }

    @Test("--check names the certificate, or what stands against it")
    func check() async throws {
        let model = Repository.fixture("blocks-v8")
        func check() async throws -> ChildProcess.Ended {
            try await ChildProcess.run(
                arguments: ["serve", model, "--check", "--tls-certificate", folder.path("a.pem")]
                    + ["--tls-private-key", folder.path("a.key")]
            )
        }
        let good = try await check()
        #expect(good.status == 0)
        #expect(good.output.contains("certificate: \(folder.path("a.pem")) for localhost until "))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: folder.path("a.key"))
        #expect(try await check().output.contains("chmod o-rwx \(folder.path("a.key"))"))
    }

    @Test("A mistake ends the start with a sentence that says what to do")
    func mistakes() async throws {
        let model = Repository.fixture("blocks-v8")
        func start(_ flags: String...) async throws -> ChildProcess.Ended {
            try await ChildProcess.run(arguments: ["serve", model, "--port", "0"] + flags)
        }
        func expect(_ ended: ChildProcess.Ended, says words: String, sourceLocation: SourceLocation = #_sourceLocation)
        {
            #expect(ended.status != 0, sourceLocation: sourceLocation)
            #expect(ended.errors.contains(words), "\(ended.errors)", sourceLocation: sourceLocation)
            #expect(ended.errors.split(separator: "\n").count <= 4, "a sentence", sourceLocation: sourceLocation)
        }
        let (certificate, key) = (folder.path("a.pem"), folder.path("a.key"))
        expect(try await start("--tls-certificate", certificate), says: "--tls-private-key (NEREID_TLS_PRIVATE_KEY)")
        expect(try await start("--tls-config", folder.path), says: "there is no \(folder.path("certificates.toml"))")
        try authority.issue(as: "b", in: folder)
        expect(
            try await start("--tls-certificate", certificate, "--tls-private-key", folder.path("b.key")),
            says: "does not belong to the certificate"
        )
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
        expect(
            try await start("--tls-certificate", certificate, "--tls-private-key", key),
            says: "Run: chmod o-rwx \(key)"
        )
    }

    @Test(
        "A key that this user may not read ends the start with a sentence",
        .enabled(if: geteuid() == 0 && Repository.program("setpriv") != nil, "needs root, to be another user")
    )
    func unreadableKey() async throws {
        chmod(folder.path, 0o755)
        let ended = try await ChildProcess.run(
            try #require(Repository.program("setpriv")),
            arguments: ["--reuid", "65534", "--clear-groups", ChildProcess.nereid, "serve", "--port", "0"]
                + ["--tls-certificate", folder.path("a.pem"), "--tls-private-key", folder.path("a.key")]
        )
        #expect(ended.status != 0)
        #expect(ended.errors.contains("may not be read by the user who runs this, number 65534"), "\(ended.errors)")
        #expect(ended.errors.contains("chmod g+r \(folder.path("a.key"))"))
    }
}
