// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import TestSupport
import Testing

@testable import NereidServer

@Suite("Where certificates are")
struct TLSSourceTests {
    private static func source(_ layers: SettingsLayers) throws -> TLSSource? { try ServerConfiguration(layers).tls }

    @Test("is nowhere unless it is said")
    func none() throws {
        #expect(try Self.source(SettingsLayers()) == nil)
        #expect(try Self.source(SettingsLayers(environment: ["NEREID_TLS_CONFIG": ""])) == nil)
    }

    @Test("is a folder, or two files that may be named in different places")
    func ways() throws {
        #expect(try Self.source(SettingsLayers(flags: [.tlsConfig: "/certs"])) == .folder("/certs"))
        #expect(try Self.source(SettingsLayers(environment: ["NEREID_TLS_CONFIG": "/certs"])) == .folder("/certs"))
        let file = try TemporaryFolder()
        let settings = try SettingsLayers(
            flags: [.tlsCertificate: "a.pem"],
            file: file.write("tls_private_key: a.key", to: "nereid.yaml")
        )
        #expect(try Self.source(settings) == .files(certificate: "a.pem", privateKey: "a.key"))
    }

    static let mistakes: [([Setting: String], String)] = [
        (
            [.tlsCertificate: "a.pem"],
            "--tls-certificate can't be used: its private key is needed as well: --tls-private-key (NEREID_TLS_PRIVATE_KEY)"
        ),
        (
            [.tlsPrivateKey: "a.key"],
            "--tls-private-key can't be used: its certificate is needed as well: --tls-certificate (NEREID_TLS_CERTIFICATE)"
        ),
        (
            [.tlsConfig: "/certs", .tlsCertificate: "a.pem", .tlsPrivateKey: "a.key"],
            "--tls-config can't be used: --tls-certificate is given as well. "
                + "Give either the folder, or the certificate and its key"
        ),
        (
            [.tlsConfig: "/certs", .tlsPrivateKey: "a.key"],
            "--tls-config can't be used: --tls-private-key is given as well. "
                + "Give either the folder, or the certificate and its key"
        ),
    ]

    @Test("is refused by halves and twice", arguments: mistakes)
    func mistake(flags: [Setting: String], words: String) throws {
        let layers = try SettingsLayers(flags: flags)
        let error = #expect(throws: SettingsError.self) { try Self.source(layers) }
        #expect(error?.description == words)
    }

    @Test("is refused with the name of the place where it was said")
    func places() throws {
        let layers = try SettingsLayers(
            flags: [.tlsConfig: "/certs"],
            environment: ["NEREID_TLS_CERTIFICATE": "a.pem"]
        )
        let error = #expect(throws: SettingsError.self) { try Self.source(layers) }
        #expect(error?.description.hasPrefix("--tls-config can't be used: NEREID_TLS_CERTIFICATE is given") == true)
    }
}
