// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NIOSSL
import Synchronization
import TestSupport
import Testing

@testable import NereidServer

@Suite(
    "The keeper of certificates",
    .enabled(if: TestAuthority.isAvailable, "openssl is missing; run scripts/setup --tests")
)
struct CertificateKeeperTests {
    private let folder: TemporaryFolder
    private let authority: TestAuthority
    private let log = LogRecord()

    init() throws {
        folder = try TemporaryFolder()
        authority = try TestAuthority()
    }

    private func keeper(_ source: TLSSource? = nil, now: Date = Date()) throws -> CertificateKeeper {
        try CertificateKeeper(
            source ?? .files(certificate: folder.path("a.pem"), privateKey: folder.path("a.key")),
            interval: .milliseconds(5),
            now: now,
            logger: log.logger
        )
    }

    @Test("says what it has")
    func descriptions() throws {
        try authority.issue(["reef.example", "lab.example"], as: "a", in: folder)
        let day = ServerCertificate.day(Date() + 90 * 86_400)
        #expect(
            try keeper().descriptions == [
                "certificate: \(folder.path("a.pem")) for reef.example, lab.example until \(day)"
            ]
        )
    }

    @Test("serves changed files, in place of those it had")
    func reload() throws {
        try authority.issue(["old.example"], as: "a", in: folder)
        let keeper = try keeper()
        let first = keeper.context
        keeper.look(at: Date())
        #expect(keeper.context === first)
        try authority.issue(["new.example"], as: "a", in: folder)
        keeper.look(at: Date())
        #expect(keeper.context !== first)
        #expect(keeper.descriptions[0].contains("for new.example"))
        #expect(log.lines.contains { $0.contains("hosts=new.example") })
        #expect(log.lines(.error).isEmpty)
    }

    @Test("keeps what it has when changed files can't be used, and says so once")
    func brokenReload() throws {
        try authority.issue(["old.example"], as: "a", in: folder)
        let keeper = try keeper()
        let first = keeper.context
        try authority.issue(["new.example"], as: "b", in: folder)
        // The certificate has come, its key not yet.
        try folder.put(folder.path("b.pem"), as: "a.pem")
        for _ in 0..<4 { keeper.look(at: Date()) }
        #expect(keeper.context === first)
        #expect(keeper.descriptions[0].contains("for old.example"))
        let errors = log.lines(.error)
        #expect(errors.count == 1)
        #expect(errors.first?.contains("the old ones stay") == true)
        #expect(errors.first?.contains("does not belong to the certificate") == true)
        try authority.run(["pkey", "-in", folder.path("b.key"), "-out", folder.path("a.key")])
        keeper.look(at: Date())
        #expect(keeper.descriptions[0].contains("for new.example"))
    }

    @Test("serves again when only the permissions of a key were changed to what they must be")
    func permissions() throws {
        try authority.issue(as: "a", in: folder)
        let keeper = try keeper()
        try authority.issue(["new.example"], as: "a", in: folder)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: folder.path("a.key"))
        for _ in 0..<2 { keeper.look(at: Date()) }
        #expect(log.lines(.error).first?.contains("chmod o-rwx") == true)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder.path("a.key"))
        keeper.look(at: Date())
        #expect(keeper.descriptions[0].contains("for new.example"))
    }

    @Test("follows a folder's list, and the files that it names")
    func list() throws {
        for name in ["a", "b"] { try authority.issue(["\(name).example"], as: name, in: folder) }
        func entry(_ name: String) -> String {
            "[[tls.certificates]]\ncertFile='/x/\(name).pem'\nkeyFile='/x/\(name).key'\n"
        }
        try folder.write(entry("a"), to: "certificates.toml")
        let keeper = try keeper(.folder(folder.path))
        #expect(keeper.descriptions.count == 1)
        try folder.write(entry("a") + entry("b"), to: "certificates.toml")
        keeper.look(at: Date())
        #expect(keeper.descriptions.count == 2)
        try authority.issue(["c.example"], as: "b", in: folder)
        keeper.look(at: Date())
        #expect(keeper.descriptions[1].contains("for c.example"))
        try folder.write("[tls", to: "certificates.toml")
        for _ in 0..<3 { keeper.look(at: Date()) }
        #expect(keeper.descriptions.count == 2)
        #expect(log.lines(.error).count == 1)
        try folder.remove("certificates.toml")
        for _ in 0..<3 { keeper.look(at: Date()) }
        #expect(log.lines(.error).count == 2)
        try folder.write(entry("a"), to: "certificates.toml")
        keeper.look(at: Date())
        #expect(keeper.descriptions.count == 1)
    }

    @Test("tells once a day of a certificate that expires, from 14 days before")
    func reminder() throws {
        try authority.issue(as: "a", in: folder, days: 90)
        let start = Date()
        let keeper = try keeper(now: start)
        #expect(log.lines(.warning).isEmpty)
        let hour: TimeInterval = 3600
        for hours in 0..<(77 * 24) { keeper.look(at: start + Double(hours) * hour) }
        let lines = log.lines(.warning)
        #expect((1...2).contains(lines.count))
        #expect(lines.first?.contains("the certificate for localhost expires on") == true)
        for hours in (77 * 24)..<(87 * 24) { keeper.look(at: start + Double(hours) * hour) }
        #expect((10...12).contains(log.lines(.warning).count))
    }

    @Test("tells at the start of one that has expired, and of options that it does not heed")
    func startWarnings() throws {
        try authority.issue(as: "a", in: folder, days: -1)
        try folder.write(
            "[[tls.certificates]]\ncertFile='a.pem'\nkeyFile='a.key'\n[tls.options.default]\nsniStrict=true\n",
            to: "certificates.toml"
        )
        _ = try keeper(.folder(folder.path))
        let lines = log.lines(.warning)
        #expect(lines.contains { $0.contains("has expired on") })
        #expect(lines.contains { $0.contains("[tls.options] in certificates.toml is not heeded") })
    }

    @Test("looks by itself while it runs, and ends when told to")
    func running() async throws {
        try authority.issue(["old.example"], as: "a", in: folder)
        let keeper = try keeper()
        let task = Task { try await keeper.run() }
        try authority.issue(["new.example"], as: "a", in: folder)
        while !keeper.descriptions[0].contains("new.example") { try await Task.sleep(for: .milliseconds(5)) }
        task.cancel()
        try await task.value
    }
}

@Suite(
    "The certificate for a host",
    .enabled(if: TestAuthority.isAvailable, "openssl is missing; run scripts/setup --tests")
)
struct CertificateSetTests {
    @Test("is the one with its name, else the one for any name in its place, else none")
    func choice() throws {
        let (folder, authority) = (try TemporaryFolder(), try TestAuthority())
        let hosts = [
            ["first.example"], ["*.reef.example", "reef.example"], ["deep.reef.example"], ["deep.reef.example"],
        ]
        let certificates = try hosts.enumerated().map { index, hosts in
            try authority.issue(hosts, as: "\(index)", in: folder)
            return try ServerCertificate(
                CertificateFiles(certificate: folder.path("\(index).pem"), privateKey: folder.path("\(index).key"))
            )
        }
        let set = CertificateSet(certificates)
        func choice(_ host: String) -> Int? {
            set.certificate(for: host).flatMap { found in certificates.firstIndex { $0.file == found.file } }
        }
        #expect(choice("first.example") == 0)
        #expect(choice("reef.example") == 1)
        #expect(choice("any.reef.example") == 1)
        #expect(choice("ANY.Reef.Example.") == 1)
        #expect(choice("deep.reef.example") == 2)
        #expect(choice("very.deep.reef.example") == nil)
        #expect(choice("other.example") == nil)
        #expect(choice("") == nil)
        #expect(choice(".") == nil)
        let configuration = try set.context().configuration
        #expect(configuration.minimumTLSVersion == .tlsv12)
        #expect(configuration.applicationProtocols == ["h2", "http/1.1"])
    }
}

/// What has been logged.
final class LogRecord: Sendable {
    private let entries = Mutex<[(level: Logger.Level, text: String)]>([])

    var logger: Logger { Logger(label: "tests") { _ in Handler(record: self) } }

    var lines: [String] { entries.withLock { $0.map(\.text) } }

    func lines(_ level: Logger.Level) -> [String] { entries.withLock { $0.filter { $0.level == level }.map(\.text) } }

    private struct Handler: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let details = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted().joined(separator: " ")
            record.entries.withLock { $0.append((event.level, "\(details) \(event.message)")) }
        }
    }
}
