// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOSSL

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A certificate with its chain and its key, which have been found to belong together.
struct ServerCertificate: Sendable {
    /// The file it is from.
    let file: String
    let chain: [NIOSSLCertificateSource]
    let privateKey: NIOSSLPrivateKeySource
    /// The hosts that it is for, in small letters; `*.` in front stands for any one word.
    let hosts: [String]
    let validFrom: Date
    let validUntil: Date
    /// The first certificate of the chain that was not issued by the one after it, counted from 1.
    let brokenAt: Int?

    /// Reads and checks the files of one certificate.
    ///
    /// One that has expired is not refused: clients may be told to accept it, and it is better than none while a new one is
    /// being made.
    ///
    /// - Throws: ``TLSError``.
    init(_ files: CertificateFiles) throws(TLSError) {
        let key = try TLSFile(files.privateKey, as: .privateKey)
        // A group may: that is how secrets of Kubernetes and certbot's hooks hand keys on.
        guard key.mode & 0o006 == 0 else { throw .exposedKey(file: files.privateKey, mode: key.mode) }
        let privateKey = try Self.privateKey(key.bytes, files.privateKey)
        let chain = try Self.chain(TLSFile(files.certificate, as: .certificate).bytes, files.certificate)
        guard Self.belong(chain[0], privateKey) else {
            if let index = chain.firstIndex(where: { Self.belong($0, privateKey) }) {
                throw .notFirst(certificate: files.certificate, position: index + 1)
            }
            throw .keyOfAnother(key: files.privateKey, certificate: files.certificate)
        }
        let fields = chain.map { (try? $0.toDERBytes()).flatMap(CertificateFields.init(der:)) }
        guard let own = fields[0] else { throw .damaged(file: files.certificate, role: .certificate) }
        brokenAt = zip(fields, fields.dropFirst()).enumerated().first { $1.0?.issuer != $1.1?.subject }.map {
            $0.offset + 1
        }
        file = files.certificate
        hosts = own.hosts
        validFrom = Date(timeIntervalSince1970: TimeInterval(chain[0].notValidBefore))
        validUntil = Date(timeIntervalSince1970: TimeInterval(chain[0].notValidAfter))
        self.chain = chain.map { .certificate($0) }
        self.privateKey = .privateKey(privateKey)
    }

    private static func privateKey(_ bytes: [UInt8], _ file: String) throws(TLSError) -> NIOSSLPrivateKey {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.contains("PRIVATE KEY-----") else {
            throw .notPEM(file: file, role: .privateKey, isDER: isDER(bytes))
        }
        guard !text.contains("BEGIN ENCRYPTED PRIVATE KEY"), !text.contains("Proc-Type: 4,ENCRYPTED") else {
            throw .encryptedKey(file: file)
        }
        do {
            return try NIOSSLPrivateKey(bytes: bytes, format: .pem)
        } catch {
            throw .damaged(file: file, role: .privateKey)
        }
    }

    private static func chain(_ bytes: [UInt8], _ file: String) throws(TLSError) -> [NIOSSLCertificate] {
        guard String(decoding: bytes, as: UTF8.self).contains("CERTIFICATE-----") else {
            throw .notPEM(file: file, role: .certificate, isDER: isDER(bytes))
        }
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(bytes), !chain.isEmpty else {
            throw .damaged(file: file, role: .certificate)
        }
        return chain
    }

    /// Whether bytes are one sequence, as keys and certificates are in their binary format.
    private static func isDER(_ bytes: [UInt8]) -> Bool {
        var reader = DERReader(bytes[...])
        return reader.next(0x30)?.whole.count == bytes.count
    }

    /// Whether a key is a certificate's. BoringSSL compares them when both are put into a context.
    private static func belong(_ certificate: NIOSSLCertificate, _ key: NIOSSLPrivateKey) -> Bool {
        let configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(certificate)],
            privateKey: .privateKey(key)
        )
        return (try? NIOSSLContext(configuration: configuration)) != nil
    }

    /// For the log: the hosts, or the file where there are none.
    var name: String { hosts.isEmpty ? file : hosts.joined(separator: ", ") }

    /// What whoever looks after the server should know of it; `nil`: nothing.
    func warning(at now: Date) -> String? {
        let day: TimeInterval = 86_400
        if validUntil <= now { return "the certificate for \(name) has expired on \(Self.day(validUntil)): renew it" }
        if validFrom > now {
            return "the certificate for \(name) is valid from \(Self.day(validFrom)) on: is this machine's clock right?"
        }
        let left = validUntil.timeIntervalSince(now)
        guard left < 14 * day else { return nil }
        return "the certificate for \(name) expires on \(Self.day(validUntil)), in \(Int(left / day)) days: renew it"
    }

    /// What is wrong with its chain, though clients may cope; `nil`: nothing.
    var chainWarning: String? {
        brokenAt.map { position in
            "in \(file) certificate \(position) was not issued by number \(position + 1), which stands after it: "
                + "clients may refuse the chain. Put each certificate before that of its issuer"
        }
    }

    /// The day of a moment in universal time.
    static func day(_ moment: Date) -> String { String(moment.ISO8601Format().prefix(10)) }
}
