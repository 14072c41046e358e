// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidModels
import TOMLKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The two files of one certificate.
struct CertificateFiles: Sendable, Equatable {
    let certificate: String
    let privateKey: String
}

/// A folder with `certificates.toml`, as traefik's file provider reads it: entries `[[tls.certificates]]` with `certFile`
/// and `keyFile`, and `[tls.stores.default.defaultCertificate]` with the same keys.
struct CertificateFolder: Sendable {
    let path: String

    var list: String { Self.join(path, "certificates.toml") }

    /// What the list says.
    struct Entries: Sendable, Equatable {
        /// The certificates as they are written, the default first.
        var files: [CertificateFiles] = []
        /// What traefik would heed and Nereid does not, in words.
        var unheeded: [String] = []
    }

    /// Reads the list.
    ///
    /// - Throws: ``TLSError`` when it can't be read, is malformed, or names no certificate.
    func entries() throws(TLSError) -> Entries {
        guard let text = EditedFile.text(try TLSFile(list, as: .list).bytes) else {
            throw .malformedList(file: list, reason: "it is not \(EditedFile.requirement)")
        }
        let root: TOMLTable
        do {
            root = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw .malformedList(file: list, reason: "\(error.description) (\(error.source.begin.debugDescription))")
        } catch {
            throw .malformedList(file: list, reason: "\(error)")
        }
        var entries = Entries()
        guard let tls = root["tls"]?.table else { throw .emptyList(file: list) }
        if let stated = tls["stores"]?.table?["default"]?.table?["defaultCertificate"] {
            entries.files.append(try files(stated, of: "[tls.stores.default.defaultCertificate]"))
        }
        if let stated = tls["certificates"] {
            guard let array = stated.array else {
                throw .malformedList(file: list, reason: "‘tls.certificates’ is no list: write [[tls.certificates]]")
            }
            for (number, entry) in array.enumerated() {
                let pair = try files(entry, of: "entry \(number + 1) of [[tls.certificates]]")
                if !entries.files.contains(pair) { entries.files.append(pair) }
            }
        }
        guard !entries.files.isEmpty else { throw .emptyList(file: list) }
        if tls["options"] != nil { entries.unheeded.append("[tls.options]") }
        return entries
    }

    private func files(_ entry: any TOMLValueConvertible, of name: String) throws(TLSError) -> CertificateFiles {
        guard let table = entry.table else { throw .malformedList(file: list, reason: "\(name) is no table") }
        return CertificateFiles(
            certificate: try file("certFile", in: table, of: name),
            privateKey: try file("keyFile", in: table, of: name)
        )
    }

    private func file(_ key: String, in table: TOMLTable, of name: String) throws(TLSError) -> String {
        guard let path = table[key]?.string, !path.isEmpty else {
            throw .malformedList(file: list, reason: "\(name) has no \(key)")
        }
        guard !path.contains("-----BEGIN") else {
            throw .malformedList(
                file: list,
                reason: "\(key) of \(name) is the content itself, but must be the path of a file with it"
            )
        }
        return path
    }

    /// Where a file is that the list names.
    ///
    /// Relative paths start in the folder. The folder may be mounted elsewhere than where the list was written for: what
    /// is not there by its absolute path is looked for by its name in the folder.
    ///
    /// - Returns: a path at which something is; `nil` when there is nothing, with the places looked at.
    func find(_ written: String) -> (path: String?, places: [String]) {
        let places =
            written.hasPrefix("/")
            ? [written, Self.join(path, written.split(separator: "/").last.map(String.init) ?? "")]
            : [Self.join(path, written)]
        return (places.first { FileManager.default.fileExists(atPath: $0) }, places)
    }

    private static func join(_ folder: String, _ name: String) -> String {
        folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }
}

extension CertificateFiles {
    /// The same files where they are in a folder.
    ///
    /// - Throws: ``TLSError/missing(file:role:other:)``.
    func found(in folder: CertificateFolder) throws(TLSError) -> CertificateFiles {
        func find(_ written: String, _ role: TLSError.Role) throws(TLSError) -> String {
            let (path, places) = folder.find(written)
            guard let path else {
                throw .missing(file: places[0], role: role, other: places.count > 1 ? places[1] : nil)
            }
            return path
        }
        return CertificateFiles(
            certificate: try find(certificate, .certificate),
            privateKey: try find(privateKey, .privateKey)
        )
    }
}
