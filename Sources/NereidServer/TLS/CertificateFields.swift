// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Reads values in DER, the encoding of certificates (ITU-T X.690), one after another and one level deep.
struct DERReader {
    /// A value with its tag, as it stands.
    struct Value {
        let tag: UInt8
        let content: ArraySlice<UInt8>
        /// Tag, length and content.
        let whole: ArraySlice<UInt8>
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    /// The next value; `nil` at the end, and where there is no value.
    mutating func next() -> Value? {
        var position = rest.startIndex
        func byte() -> UInt8? {
            guard position < rest.endIndex else { return nil }
            defer { position += 1 }
            return rest[position]
        }
        // Tags above 30, which take more bytes, do not occur in certificates.
        guard let tag = byte(), tag & 0x1F != 0x1F, let first = byte() else { return nil }
        var length = Int(first)
        if first & 0x80 != 0 {
            let count = first & 0x7F
            guard (1...4).contains(count) else { return nil }
            length = 0
            for _ in 0..<count {
                guard let next = byte() else { return nil }
                length = length << 8 | Int(next)
            }
        }
        guard length <= rest.endIndex - position else { return nil }
        let end = position + length
        defer { rest = rest[end...] }
        return Value(tag: tag, content: rest[position..<end], whole: rest[rest.startIndex..<end])
    }

    /// The next value, when it has this tag.
    mutating func next(_ tag: UInt8) -> Value? {
        var ahead = self
        guard let value = ahead.next(), value.tag == tag else { return nil }
        self = ahead
        return value
    }
}

/// What stands in a certificate (RFC 5280, 4.1), as far as a server needs to know.
struct CertificateFields: Equatable {
    /// The issuer's name, as bytes to compare.
    let issuer: [UInt8]
    /// The owner's name, as bytes to compare.
    let subject: [UInt8]
    /// The hosts that it is for (4.2.1.6), in small letters; `*.` in front stands for any one word.
    let hosts: [String]

    private static let sequence: UInt8 = 0x30
    private static let alternativeName: [UInt8] = [0x55, 0x1D, 0x11]

    /// - Parameter der: the certificate in DER.
    /// - Returns: `nil` when it is none.
    init?(der: [UInt8]) {
        var outer = DERReader(der[...])
        guard let certificate = outer.next(Self.sequence) else { return nil }
        var inner = DERReader(certificate.content)
        guard let body = inner.next(Self.sequence) else { return nil }
        var fields = DERReader(body.content)
        // The version is left out in the first one.
        _ = fields.next(0xA0)
        guard fields.next(0x02) != nil, fields.next(Self.sequence) != nil,
            let issuer = fields.next(Self.sequence), fields.next(Self.sequence) != nil,
            let subject = fields.next(Self.sequence), fields.next(Self.sequence) != nil
        else { return nil }
        self.issuer = Array(issuer.whole)
        self.subject = Array(subject.whole)
        var hosts: [String] = []
        while let field = fields.next() {
            if field.tag == 0xA3 { hosts = Self.hosts(inExtensions: field.content) }
        }
        self.hosts = hosts
    }

    private static func hosts(inExtensions bytes: ArraySlice<UInt8>) -> [String] {
        var outer = DERReader(bytes)
        guard let list = outer.next(sequence) else { return [] }
        var extensions = DERReader(list.content)
        while let entry = extensions.next(sequence) {
            var parts = DERReader(entry.content)
            guard let name = parts.next(0x06), name.content.elementsEqual(alternativeName) else { continue }
            // Whether it is critical.
            _ = parts.next(0x01)
            guard let value = parts.next(0x04) else { continue }
            return hosts(inNames: value.content)
        }
        return []
    }

    private static func hosts(inNames bytes: ArraySlice<UInt8>) -> [String] {
        var outer = DERReader(bytes)
        guard let list = outer.next(sequence) else { return [] }
        var names = DERReader(list.content)
        var hosts: [String] = []
        while let name = names.next() {
            if name.tag == 0x82 { hosts.append(String(decoding: name.content, as: UTF8.self).lowercased()) }
        }
        return hosts
    }
}
