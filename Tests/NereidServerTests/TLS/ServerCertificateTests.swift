// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidServer

@Suite("A certificate", .enabled(if: TestAuthority.isAvailable, "openssl is missing; run scripts/setup --tests"))
struct ServerCertificateTests {
    private let folder: TemporaryFolder
    private let authority: TestAuthority

    init() throws {
        folder = try TemporaryFolder()
        authority = try TestAuthority()
    }

    private func load(_ certificate: String, _ key: String) throws -> ServerCertificate {
        try ServerCertificate(CertificateFiles(certificate: folder.path(certificate), privateKey: folder.path(key)))
    }

    private func error(_ certificate: String, _ key: String) -> TLSError? {
        #expect(throws: TLSError.self) { try load(certificate, key) }
    }

    private func setMode(_ mode: Int, of name: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder.path(name))
    }

    @Test("is read with its hosts and days")
    func whole() throws {
        try authority.issue(["Localhost", "*.reef.example"], as: "a", in: folder, days: 90)
        let certificate = try load("a.pem", "a.key")
        #expect(certificate.hosts == ["localhost", "*.reef.example"])
        #expect(certificate.chain.count == 1)
        #expect(certificate.chainWarning == nil)
        #expect(abs(certificate.validUntil.timeIntervalSinceNow - 90 * 86_400) < 120)
        #expect(certificate.warning(at: Date()) == nil)
    }

    @Test("may stand in one file with its key")
    func oneFile() throws {
        try authority.issue(as: "a", in: folder)
        let both = try ["a.key", "a.pem"].map { try String(contentsOfFile: folder.path($0), encoding: .utf8) }.joined()
        try folder.write(both, to: "both.pem")
        try setMode(0o600, of: "both.pem")
        #expect(try load("both.pem", "both.pem").hosts == ["localhost"])
    }

    @Test("may have a key that a group may read, but not everybody", arguments: [0o600, 0o400, 0o640, 0o660, 0o440])
    func groupReadable(mode: Int) throws {
        try authority.issue(as: "a", in: folder)
        try setMode(mode, of: "a.key")
        #expect(throws: Never.self) { try load("a.pem", "a.key") }
    }

    @Test(
        "is refused when everybody may read or change its key",
        arguments: [(0o644, "0644"), (0o604, "0604"), (0o602, "0602")]
    )
    func exposedKey(mode: Int, digits: String) throws {
        try authority.issue(as: "a", in: folder)
        try setMode(mode, of: "a.key")
        let key = folder.path("a.key")
        #expect(error("a.pem", "a.key") == .exposedKey(file: key, mode: UInt32(mode)))
        #expect(
            error("a.pem", "a.key")?.description
                == "the private key \(key) is open to every user of this machine (mode \(digits)). "
                + "Run: chmod o-rwx \(key) (in a volume of Kubernetes: defaultMode: 0440)"
        )
    }

    @Test("is refused when a file is not there")
    func missing() throws {
        try authority.issue(as: "a", in: folder)
        #expect(
            error("b.pem", "a.key")?.description == "the certificate \(folder.path("b.pem")) is not there"
        )
        #expect(
            error("a.pem", "b.key")?.description == "the private key \(folder.path("b.key")) is not there"
        )
    }

    @Test("is refused when this user may not read a file", .enabled(if: geteuid() != 0, "root may read everything"))
    func forbidden() throws {
        try authority.issue(as: "a", in: folder)
        try setMode(0, of: "a.key")
        #expect(
            error("a.pem", "a.key") == .forbidden(file: folder.path("a.key"), role: .privateKey, user: geteuid())
        )
    }

    @Test("says which user may not read a file, and what to do")
    func forbiddenInWords() {
        let error = TLSFile.error(EACCES, "/certs/a.key", .privateKey)
        #expect(error == .forbidden(file: "/certs/a.key", role: .privateKey, user: geteuid()))
        #expect(
            error.description
                == "the private key /certs/a.key may not be read by the user who runs this, number \(geteuid()). "
                + "Make it readable for a group that the user is in: chmod g+r /certs/a.key"
        )
        #expect(
            TLSFile.error(EIO, "/certs/a.pem", .certificate).description
                == "the certificate /certs/a.pem can't be read: Input/output error"
        )
    }

    @Test("is refused when a file is a folder, or too large")
    func noFile() throws {
        try authority.issue(as: "a", in: folder)
        try folder.write("", to: "sub/empty")
        #expect(
            error("sub", "a.key")?.description
                == "the certificate \(folder.path("sub")) can't be read: it is a folder"
        )
        try folder.write(String(repeating: "x", count: 1 << 20 | 1), to: "large.pem")
        #expect(
            error("large.pem", "a.key")?.description
                == "the certificate \(folder.path("large.pem")) can't be read: it is larger than 1 MiB"
        )
    }

    @Test("is refused when a file is not PEM, with the way to make it so", arguments: ["", "Good morning", "0"])
    func notPEM(text: String) throws {
        try authority.issue(as: "a", in: folder)
        try folder.write(text, to: "b")
        try setMode(0o600, of: "b")
        let file = folder.path("b")
        #expect(
            error("b", "a.key")?.description
                == "the certificate \(file) is not in PEM: it has no line ‘-----BEGIN CERTIFICATE-----’"
        )
        #expect(
            error("a.pem", "b")?.description
                == "the private key \(file) is not in PEM: it has no line ‘-----BEGIN PRIVATE KEY-----’"
        )
        // One for the other.
        #expect(error("a.key", "a.key") == .notPEM(file: folder.path("a.key"), role: .certificate, isDER: false))
    }

    @Test("is refused in DER, with the way to make PEM of it")
    func notDER() throws {
        try authority.issue(as: "a", in: folder)
        let (certificate, key) = (folder.path("a.der"), folder.path("k.der"))
        try authority.run(["x509", "-in", folder.path("a.pem"), "-outform", "der", "-out", certificate])
        try authority.run(["pkey", "-in", folder.path("a.key"), "-outform", "der", "-out", key])
        #expect(
            error("a.der", "a.key")?.description
                == "the certificate \(certificate) is in DER, but PEM is needed. "
                + "Run: openssl x509 -inform der -in \(certificate) -out \(certificate).pem"
        )
        #expect(
            error("a.pem", "k.der")?.description
                == "the private key \(key) is in DER, but PEM is needed. "
                + "Run: openssl pkey -inform der -in \(key) -out \(key).pem"
        )
    }

    @Test("is refused when its PEM is damaged")
    func damaged() throws {
        try authority.issue(as: "a", in: folder)
        for (name, role) in [("a.pem", TLSError.Role.certificate), ("a.key", .privateKey)] {
            var lines = try String(contentsOfFile: folder.path(name), encoding: .utf8).split(separator: "\n")
            lines[1] = "AAAA" + lines[1].dropFirst(4)
            try folder.write(lines.joined(separator: "\n"), to: "damaged")
            try setMode(0o600, of: "damaged")
            let found = role == .certificate ? error("damaged", "a.key") : error("a.pem", "damaged")
            #expect(found == .damaged(file: folder.path("damaged"), role: role))
            #expect(found?.description.contains("between its lines BEGIN and END is damaged") == true)
        }
    }

    @Test("is refused with a key that wants a passphrase, with the way to take it off", arguments: [false, true])
    func encrypted(asOldFormat: Bool) throws {
        try authority.issue(as: "a", in: folder)
        let (source, file) = (folder.path("a.key"), folder.path("e.key"))
        let kind = asOldFormat ? ["ec", "-in", source, "-aes256"] : ["pkcs8", "-topk8", "-in", source]
        try authority.run(kind + ["-passout", "pass:secret", "-out", file])
        try setMode(0o600, of: "e.key")
        #expect(
            error("a.pem", "e.key")?.description
                == "the private key \(file) is encrypted, and there is nobody to ask for its passphrase. "
                + "Run: (umask 077 && openssl pkey -in \(file) -out \(file).plain), and give that file"
        )
    }

    @Test("is refused with the key of another")
    func keyOfAnother() throws {
        try authority.issue(as: "a", in: folder)
        try authority.issue(as: "b", in: folder)
        #expect(
            error("a.pem", "b.key")?.description
                == "the private key \(folder.path("b.key")) does not belong to the certificate \(folder.path("a.pem")). "
                + "They were made apart from each other; take both from one place"
        )
    }

    @Test("has its chain behind it")
    func chain() throws {
        try authority.issue(as: "a", in: folder, by: .intermediate)
        let certificate = try load("a.pem", "a.key")
        #expect(certificate.chain.count == 2)
        #expect(certificate.chainWarning == nil)
    }

    @Test("is refused when it does not come first in its chain")
    func notFirst() throws {
        try authority.issue(as: "a", in: folder, by: .intermediate)
        let parts = try String(contentsOfFile: folder.path("a.pem"), encoding: .utf8)
            .split(separator: "-----END CERTIFICATE-----\n").map { $0 + "-----END CERTIFICATE-----\n" }
        try folder.write(parts.reversed().joined(), to: "turned.pem")
        #expect(
            error("turned.pem", "a.key")?.description
                == "in \(folder.path("turned.pem")) the certificate of the private key is number 2, but must be the first. "
                + "Put the server's certificate before those of its issuers"
        )
    }

    @Test("with a chain out of order is taken, with a warning")
    func chainOutOfOrder() throws {
        try authority.issue(as: "a", in: folder, by: .intermediate)
        let parts = try String(contentsOfFile: folder.path("a.pem"), encoding: .utf8)
            .split(separator: "-----END CERTIFICATE-----\n").map { $0 + "-----END CERTIFICATE-----\n" }
        let root = try String(contentsOfFile: authority.certificate, encoding: .utf8)
        try folder.write(parts[0] + root + parts[1], to: "mixed.pem")
        #expect(
            try load("mixed.pem", "a.key").chainWarning
                == "in \(folder.path("mixed.pem")) certificate 1 was not issued by number 2, which stands after it: "
                + "clients may refuse the chain. Put each certificate before that of its issuer"
        )
    }

    @Test("that has expired, or soon will, is taken, with a warning")
    func expiry() throws {
        try authority.issue(as: "old", in: folder, days: -1)
        let old = try load("old.pem", "old.key")
        let day = ServerCertificate.day(old.validUntil)
        #expect(old.warning(at: Date()) == "the certificate for localhost has expired on \(day): renew it")

        try authority.issue(as: "new", in: folder, days: 30)
        let new = try load("new.pem", "new.key")
        let end = ServerCertificate.day(new.validUntil)
        #expect(new.warning(at: new.validUntil - 15 * 86_400) == nil)
        #expect(
            new.warning(at: new.validUntil - 13.5 * 86_400)
                == "the certificate for localhost expires on \(end), in 13 days: renew it"
        )
        #expect(new.warning(at: new.validFrom - 60)?.contains("is this machine's clock right?") == true)
    }

    @Test("says days as they are written everywhere")
    func day() {
        #expect(ServerCertificate.day(Date(timeIntervalSince1970: 1_800_000_000)) == "2027-01-15")
    }
}
