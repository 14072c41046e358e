// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Why a certificate can't be used.
public enum TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What a file is for.
    public enum Role: String, Sendable {
        case certificate
        case privateKey = "private key"
        case list = "list of certificates"
    }

    /// A file that is not there.
    ///
    /// - Parameter other: where it was looked for as well.
    case missing(file: String, role: Role, other: String?)
    /// A file that this user may not read.
    case forbidden(file: String, role: Role, user: UInt32)
    /// A file that can't be read for another reason.
    case unreadable(file: String, role: Role, reason: String)
    /// A private key that every user of the machine may read or change.
    ///
    /// - Parameter mode: its permissions, the lowest nine bits.
    case exposedKey(file: String, mode: UInt32)
    /// A file that is in another format.
    ///
    /// - Parameter isDER: whether it looks like the same thing in its binary format.
    case notPEM(file: String, role: Role, isDER: Bool)
    /// A private key that wants a passphrase.
    case encryptedKey(file: String)
    /// A key and a certificate that have nothing to do with each other.
    case keyOfAnother(key: String, certificate: String)
    /// A chain in which the server's own certificate does not come first.
    ///
    /// - Parameter position: where it stands, counted from 1.
    case notFirst(certificate: String, position: Int)
    /// PEM whose content can't be used.
    case damaged(file: String, role: Role)
    /// A list that is no TOML, or not of the expected kind.
    case malformedList(file: String, reason: String)
    /// A list without a certificate.
    case emptyList(file: String)

    /// What happened, to which file, and what to do.
    public var description: String {
        switch self {
        case .missing(let file, .list, _):
            "there is no \(file). The folder of --tls-config needs that file, with entries [[tls.certificates]]; "
                + "or give --tls-certificate and --tls-private-key"
        case .missing(let file, let role, let other):
            "the \(role.rawValue) \(file) is not there\(other.map { ", nor is \($0)" } ?? "")"
        case .forbidden(let file, let role, let user):
            "the \(role.rawValue) \(file) may not be read by the user who runs this, number \(user). "
                + "Make it readable for a group that the user is in: chmod g+r \(file)"
        case .unreadable(let file, let role, let reason):
            "the \(role.rawValue) \(file) can't be read: \(reason)"
        case .exposedKey(let file, let mode):
            "the private key \(file) is open to every user of this machine (mode \(Self.octal(mode))). "
                + "Run: chmod o-rwx \(file) (in a volume of Kubernetes: defaultMode: 0440)"
        case .notPEM(let file, let role, isDER: true):
            "the \(role.rawValue) \(file) is in DER, but PEM is needed. "
                + "Run: openssl \(role == .privateKey ? "pkey" : "x509") -inform der -in \(file) -out \(file).pem"
        case .notPEM(let file, let role, isDER: false):
            "the \(role.rawValue) \(file) is not in PEM: it has no line ‘-----BEGIN "
                + "\(role == .privateKey ? "PRIVATE KEY" : "CERTIFICATE")-----’"
        case .encryptedKey(let file):
            "the private key \(file) is encrypted, and there is nobody to ask for its passphrase. "
                + "Run: (umask 077 && openssl pkey -in \(file) -out \(file).plain), and give that file"
        case .keyOfAnother(let key, let certificate):
            "the private key \(key) does not belong to the certificate \(certificate). "
                + "They were made apart from each other; take both from one place"
        case .notFirst(let certificate, let position):
            "in \(certificate) the certificate of the private key is number \(position), but must be the first. "
                + "Put the server's certificate before those of its issuers"
        case .damaged(let file, let role):
            "the \(role.rawValue) \(file) can't be used: what stands between its lines BEGIN and END is damaged, "
                + "or of a kind that is not supported"
        case .malformedList(let file, let reason):
            "\(file) can't be used: \(reason)"
        case .emptyList(let file):
            "\(file) names no certificate. It needs an entry: [[tls.certificates]] certFile = \"fullchain.pem\" "
                + "keyFile = \"privkey.pem\""
        }
    }

    private static func octal(_ mode: UInt32) -> String {
        let digits = String(mode & 0o777, radix: 8)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
