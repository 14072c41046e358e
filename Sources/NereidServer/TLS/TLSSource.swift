// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where the certificates of a server that speaks TLS are.
public enum TLSSource: Sendable, Equatable {
    /// A PEM file with the certificate and its chain, the server's own first, and a PEM file with its private key.
    case files(certificate: String, privateKey: String)
    /// A folder with a `certificates.toml` as traefik's file provider reads it.
    case folder(String)
}

extension SettingsLayers {
    /// Where the certificates are; `nil`: no TLS.
    ///
    /// - Throws: ``SettingsError/unusable(source:reason:)`` for a certificate without its key, a key without its
    ///   certificate, and for both ways at once.
    func certificates() throws(SettingsError) -> TLSSource? {
        let certificate = string(.tlsCertificate)
        let privateKey = string(.tlsPrivateKey)
        if let folder = string(.tlsConfig) {
            guard certificate == nil, privateKey == nil else {
                throw .unusable(
                    source: source(of: .tlsConfig),
                    reason: "\(source(of: certificate == nil ? .tlsPrivateKey : .tlsCertificate)) is given as well. "
                        + "Give either the folder, or the certificate and its key"
                )
            }
            return .folder(folder)
        }
        switch (certificate, privateKey) {
        case (let certificate?, let privateKey?): return .files(certificate: certificate, privateKey: privateKey)
        case (nil, nil): return nil
        case (_?, nil): throw missing(.tlsPrivateKey, "its private key is needed as well", besides: .tlsCertificate)
        case (nil, _?): throw missing(.tlsCertificate, "its certificate is needed as well", besides: .tlsPrivateKey)
        }
    }

    private func missing(_ other: Setting, _ reason: String, besides given: Setting) -> SettingsError {
        .unusable(source: source(of: given), reason: "\(reason): \(other.flag) (\(other.environmentNames[0]))")
    }
}
