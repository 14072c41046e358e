// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidServer

@Suite("A folder with certificates.toml")
struct CertificateFolderTests {
    private let place: TemporaryFolder
    private let folder: CertificateFolder

    init() throws {
        place = try TemporaryFolder()
        folder = CertificateFolder(path: place.path)
    }

    private func entries(_ text: String) throws -> CertificateFolder.Entries {
        try place.write(text, to: "certificates.toml")
        return try folder.entries()
    }

    @Test("names certificates as traefik has them, the default first")
    func list() throws {
        let entries = try entries(
            """
            # Certificates of the reef.
            [[tls.certificates]]
              certFile = "/certs/fullchain.pem"
              keyFile = "/certs/privkey.pem"
              stores = ["default"]
            [[tls.certificates]]
              certFile = "b.pem"
              keyFile = "b.key"

            [tls.stores.default.defaultCertificate]
              certFile = "b.pem"
              keyFile = "b.key"

            [http.routers.reef]
              rule = "Host(`reef.example`)"
            """
        )
        #expect(
            entries.files == [
                CertificateFiles(certificate: "b.pem", privateKey: "b.key"),
                CertificateFiles(certificate: "/certs/fullchain.pem", privateKey: "/certs/privkey.pem"),
            ]
        )
        #expect(entries.unheeded.isEmpty)
    }

    @Test("may be saved in UTF-8 or UTF-16, with a byte order mark or without")
    func encodings() throws {
        for bytes in "[[tls.certificates]]\ncertFile = 'é.pem'\nkeyFile = 'é.key'\n".encodings {
            try place.write(bytes: bytes, to: "certificates.toml")
            #expect(try folder.entries().files == [CertificateFiles(certificate: "é.pem", privateKey: "é.key")])
        }
        try place.write(bytes: [0xE9, 0x0A], to: "certificates.toml")
        #expect(throws: TLSError.self) { try folder.entries() }
    }

    @Test("may have a default alone, and options that are not heeded")
    func defaultAlone() throws {
        let entries = try entries(
            """
            [tls.stores.default.defaultCertificate]
              certFile = "a.pem"
              keyFile = "a.key"
            [tls.options.default]
              minVersion = "VersionTLS13"
            """
        )
        #expect(entries.files == [CertificateFiles(certificate: "a.pem", privateKey: "a.key")])
        #expect(entries.unheeded == ["[tls.options]"])
    }

    static let mistakes = [
        ("", "names no certificate. It needs an entry: [[tls.certificates]]"),
        ("[http]\n", "names no certificate"),
        ("[tls]\ncertificates = []\n", "names no certificate"),
        ("[[tls.certificates]\n", "can't be used: "),
        ("[[tls.certificates]]\ncertFile = 7\n", "entry 1 of [[tls.certificates]] has no certFile"),
        ("[[tls.certificates]]\ncertFile = \"a.pem\"\n", "entry 1 of [[tls.certificates]] has no keyFile"),
        ("[tls]\ncertificates = 3\n", "‘tls.certificates’ is no list: write [[tls.certificates]]"),
        ("[tls]\ncertificates = [3]\n", "entry 1 of [[tls.certificates]] is no table"),
        ("[tls.stores.default]\ndefaultCertificate = 1\n", "[tls.stores.default.defaultCertificate] is no table"),
        (
            "[[tls.certificates]]\ncertFile = \"\"\"-----BEGIN CERTIFICATE-----\"\"\"\n",
            "certFile of entry 1 of [[tls.certificates]] is the content itself, but must be the path of a file with it"
        ),
    ]

    @Test("that can't be used is refused with the reason", arguments: mistakes)
    func mistake(text: String, reason: String) throws {
        let error = #expect(throws: TLSError.self) { try entries(text) }
        #expect(error?.description.hasPrefix("\(place.path("certificates.toml")) ") == true)
        #expect(error?.description.contains(reason) == true)
    }

    @Test("says where in the list the mistake is")
    func position() throws {
        let error = #expect(throws: TLSError.self) { try entries("[[tls.certificates]]\ncertFile = a.pem\n") }
        #expect(error?.description.contains("line 2, column ") == true)
    }

    @Test("without a list is refused with what it needs")
    func noList() {
        let error = #expect(throws: TLSError.self) { try folder.entries() }
        #expect(
            error?.description
                == "there is no \(place.path("certificates.toml")). The folder of --tls-config needs that file, "
                + "with entries [[tls.certificates]]; or give --tls-certificate and --tls-private-key"
        )
    }

    @Test("has its files by relative paths, by absolute ones, and by the names of absolute ones that are elsewhere")
    func paths() throws {
        let elsewhere = try TemporaryFolder()
        let absolute = try elsewhere.write("", to: "there.pem")
        try place.write("", to: "sub/a.pem")
        try place.write("", to: "fullchain.pem")
        func found(_ written: String) throws -> String {
            try CertificateFiles(certificate: written, privateKey: written).found(in: folder).certificate
        }
        #expect(try found("sub/a.pem") == place.path("sub/a.pem"))
        #expect(try found(absolute) == absolute)
        #expect(try found("/certs-of-nobody/fullchain.pem") == place.path("fullchain.pem"))
        let relative = #expect(throws: TLSError.self) { try found("none.pem") }
        #expect(relative?.description == "the certificate \(place.path("none.pem")) is not there")
        let container = #expect(throws: TLSError.self) { try found("/certs-of-nobody/none.pem") }
        #expect(
            container?.description
                == "the certificate /certs-of-nobody/none.pem is not there, nor is \(place.path("none.pem"))"
        )
    }
}
