// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

package import Foundation

/// An authority that issues certificates for tests, by way of `openssl`.
package struct TestAuthority: Sendable {
    private let folder: TemporaryFolder
    /// The authority's own certificate, for clients to trust.
    package let certificate: String

    package static let isAvailable = openssl != nil

    private static let openssl: String? = ProcessInfo.processInfo.environment["PATH", default: ""].split(separator: ":")
        .map { "\($0)/openssl" }.first(where: FileManager.default.isExecutableFile)

    package init(name: String = "Test authority") throws {
        folder = try TemporaryFolder()
        certificate = folder.path("ca.pem")
        try run(
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]
                + ["-subj", "/CN=\(name)", "-keyout", folder.path("ca.key"), "-out", certificate]
        )
    }

    /// Who issues a certificate.
    package enum Issuer { case authority, intermediate }

    /// Writes a certificate with its chain, and its key, into a folder.
    ///
    /// - Parameters:
    ///   - name: the files' name: `name.pem` and `name.key`.
    ///   - days: how long it is valid; below zero for one that has expired.
    ///   - issuer: an intermediate one stands behind the certificate in its file.
    package func issue(
        _ hosts: [String] = ["localhost"],
        as name: String,
        in place: TemporaryFolder,
        days: Int = 90,
        by issuer: Issuer = .authority
    ) throws {
        let (request, extensions) = (folder.path("\(name).csr"), folder.path("\(name).ext"))
        let alternatives = hosts.isEmpty ? "" : "subjectAltName=" + hosts.map { "DNS:\($0)" }.joined(separator: ",")
        try "basicConstraints=CA:FALSE\n\(alternatives)\n".write(toFile: extensions, atomically: true, encoding: .utf8)
        try makeKey(place.path("\(name).key"), request: request, subject: hosts.first ?? "nobody")
        var signer = (certificate: certificate, key: folder.path("ca.key"))
        if issuer == .intermediate { signer = try intermediate() }
        try sign(request, by: signer, days: days, extensions: extensions, to: place.path("\(name).pem"))
        if issuer == .intermediate {
            let chain = try [place.path("\(name).pem"), signer.certificate].map {
                try String(contentsOfFile: $0, encoding: .utf8)
            }
            try chain.joined().write(toFile: place.path("\(name).pem"), atomically: true, encoding: .utf8)
        }
    }

    /// Runs `openssl`.
    package func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.openssl ?? "/usr/bin/openssl")
        process.arguments = arguments
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "openssl \(arguments): \(String(decoding: said, as: UTF8.self))")
        }
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private func intermediate() throws -> (certificate: String, key: String) {
        let (file, key) = (folder.path("intermediate.pem"), folder.path("intermediate.key"))
        guard !FileManager.default.fileExists(atPath: file) else { return (file, key) }
        let (request, extensions) = (folder.path("intermediate.csr"), folder.path("intermediate.ext"))
        try "basicConstraints=critical,CA:TRUE\n".write(toFile: extensions, atomically: true, encoding: .utf8)
        try makeKey(key, request: request, subject: "Test intermediate")
        try sign(request, by: (certificate, folder.path("ca.key")), days: 365, extensions: extensions, to: file)
        return (file, key)
    }

    private func makeKey(_ key: String, request: String, subject: String) throws {
        try run(
            ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
                + ["-subj", "/CN=\(subject)", "-keyout", key, "-out", request]
        )
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
    }

    private func sign(
        _ request: String,
        by signer: (certificate: String, key: String),
        days: Int,
        extensions: String,
        to file: String
    ) throws {
        try run(
            ["x509", "-req", "-in", request, "-CA", signer.certificate, "-CAkey", signer.key, "-days", "\(days)"]
                + ["-set_serial", "\(UInt32.random(in: 1...UInt32.max))", "-extfile", extensions, "-out", file]
        )
    }
}
