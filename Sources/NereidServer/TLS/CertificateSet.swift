// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NIOSSL

/// The certificates of a server, of which a client gets the one for the host that it asks for.
struct CertificateSet: Sendable {
    /// In order; the first is for clients that ask for no host, or for one that none is for.
    let certificates: [ServerCertificate]
    private let places: [String: Int]

    init(_ certificates: [ServerCertificate]) {
        self.certificates = certificates
        let hosts = certificates.enumerated().flatMap { index, certificate in certificate.hosts.map { ($0, index) } }
        places = Dictionary(hosts) { first, _ in first }
    }

    /// The certificate for a host: one for its very name, else one for any name in its place (RFC 6125, 6.4.3).
    ///
    /// - Parameter host: as the client says it (RFC 6066, 3).
    func certificate(for host: String) -> ServerCertificate? {
        let name = (host.hasSuffix(".") ? String(host.dropLast()) : host).lowercased()
        let anyName = name.firstIndex(of: ".").map { "*" + name[$0...] }
        return (places[name] ?? anyName.flatMap { places[$0] }).map { certificates[$0] }
    }

    /// What connections are secured with: TLS 1.2 or newer, HTTP/2 or HTTP/1.1.
    ///
    /// - Throws: what BoringSSL throws; not for certificates that have been checked.
    func context() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificates[0].chain,
            privateKey: certificates[0].privateKey
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        // A client that does not say goodbye is not waited for.
        configuration.shutdownTimeout = .seconds(1)
        if certificates.count > 1 {
            configuration.sslContextCallback = { client, promise in
                var chosen = NIOSSLContextConfigurationOverride.noChanges
                if let certificate = client.serverHostname.flatMap(certificate(for:)) {
                    chosen.certificateChain = certificate.chain
                    chosen.privateKey = certificate.privateKey
                }
                promise.succeed(chosen)
            }
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
