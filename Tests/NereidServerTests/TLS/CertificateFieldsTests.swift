// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import TestSupport
import Testing

@testable import NereidServer

@Suite("What stands in a certificate")
struct CertificateFieldsTests {
    /// Tag, length in the form that its size asks for, and content.
    private static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let length: [UInt8] =
            content.count < 128
            ? [UInt8(content.count)] : [0x82, UInt8(content.count >> 8), UInt8(content.count & 0xFF)]
        return [tag] + length + content
    }

    private static func sequence(_ parts: [UInt8]...) -> [UInt8] { value(0x30, parts.flatMap(\.self)) }

    private static let issuer = sequence(value(0x0C, Array("issuer".utf8)))
    private static let subject = sequence(value(0x0C, Array("subject".utf8)))

    private static func certificate(version: [UInt8] = value(0xA0, value(0x02, [2])), extensions: [UInt8]) -> [UInt8] {
        let body = [
            version, value(0x02, [1]), sequence(), issuer, sequence(), subject, sequence(),
            extensions.isEmpty ? [] : value(0xA3, sequence(extensions)),
        ]
        return sequence(value(0x30, body.flatMap(\.self)), sequence(), value(0x03, [0]))
    }

    private static func names(_ names: [UInt8]..., isCritical: Bool = false) -> [UInt8] {
        sequence(
            value(0x06, [0x55, 0x1D, 0x11]),
            isCritical ? value(0x01, [0xFF]) : [],
            value(0x04, value(0x30, names.flatMap(\.self)))
        )
    }

    private static func host(_ name: String) -> [UInt8] { value(0x82, Array(name.utf8)) }

    @Test("are its names and its hosts, in small letters", arguments: [false, true])
    func fields(isCritical: Bool) throws {
        let other = Self.sequence(Self.value(0x06, [0x55, 0x1D, 0x13]), Self.value(0x04, Self.sequence()))
        let names = Self.names(
            Self.host("Reef.example"),
            Self.value(0x87, [127, 0, 0, 1]),
            Self.host("*.reef.example"),
            isCritical: isCritical
        )
        let fields = try #require(CertificateFields(der: Self.certificate(extensions: other + names)))
        #expect(fields.hosts == ["reef.example", "*.reef.example"])
        #expect((fields.issuer, fields.subject) == (Self.issuer, Self.subject))
    }

    @Test("may be without a version, without extensions, and without hosts")
    func little() throws {
        #expect(CertificateFields(der: Self.certificate(version: [], extensions: []))?.hosts == [])
        #expect(CertificateFields(der: Self.certificate(extensions: Self.names()))?.hosts == [])
    }

    @Test("are nothing in anything cut short, and never a crash")
    func cutShort() throws {
        let whole = Self.certificate(extensions: Self.names(Self.host("reef.example")))
        for count in 0..<whole.count { #expect(CertificateFields(der: Array(whole.prefix(count))) == nil) }
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<3 {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            // Whatever it says, it has read within its bounds.
            _ = CertificateFields(der: bytes)
        }
    }

    @Test(
        "are nothing where lengths are none",
        arguments: [
            [0x30], [0x30, 0x80, 0, 0], [0x30, 0x85, 0, 0, 0, 0, 0], [0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            [0x3F, 0x01, 0x00], [0x30, 0x02, 0x00],
        ] as [[UInt8]]
    )
    func lengths(bytes: [UInt8]) {
        var reader = DERReader(bytes[...])
        #expect(reader.next()?.whole == nil)
    }
}
