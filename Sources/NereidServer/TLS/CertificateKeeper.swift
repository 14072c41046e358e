// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
import NIOPosix
import NIOSSL
public import ServiceLifecycle
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Holds a server's certificates, and looks every two seconds whether their files have changed.
///
/// Changed certificates serve the connections that come after; those that are there go on with the old ones. When the new
/// ones can't be used, the log says why, and the old ones stay. Certificates that expire within 14 days are told of at the
/// start and once a day.
public final class CertificateKeeper: Service {
    private struct State: Sendable {
        var folder: FolderEntries?
        var watch: CertificateWatch<[FileStamp?]>
        var reminder = ExpiryReminder()
        var certificates: CertificateSet
        var context: NIOSSLContext
    }

    /// What a folder's list said when it was last read.
    private struct FolderEntries: Sendable {
        let stamp: FileStamp?
        let entries: CertificateFolder.Entries
    }

    private let source: TLSSource
    private let interval: Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// Reads certificates.
    ///
    /// - Throws: ``TLSError`` when they can't be used.
    public convenience init(_ source: TLSSource, logger: Logger) throws {
        try self.init(source, interval: .seconds(2), logger: logger)
    }

    init(_ source: TLSSource, interval: Duration, now: Date = Date(), logger: Logger) throws {
        self.source = source
        self.interval = interval
        self.logger = logger
        var folder: FolderEntries?
        // Before the reading, so that what changes meanwhile is seen at the first look.
        let stamps = Self.stamps(source, &folder)
        let certificates = try Self.load(source, &folder)
        state = Mutex(
            State(
                folder: folder,
                watch: CertificateWatch(served: stamps),
                certificates: certificates,
                context: try certificates.context()
            )
        )
        introduce(certificates, folder?.entries.unheeded ?? [], now: now)
    }

    /// What the next connection is secured with.
    var context: NIOSSLContext { state.withLock { $0.context } }

    /// One line for each certificate, for a person who checks a command line.
    public var descriptions: [String] {
        state.withLock { $0.certificates.certificates }.map { certificate in
            "certificate: \(certificate.file) for \(certificate.hosts.isEmpty ? "no host" : certificate.name) "
                + "until \(ServerCertificate.day(certificate.validUntil))"
        }
    }

    /// Looks after the files until the service is told to stop.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: self.interval)
                if Task.isCancelled { break }
                // Files may be on a disk that does not answer.
                try? await NIOThreadPool.singleton.runIfActive { self.look(at: Date()) }
            }
        }
    }

    /// Looks once.
    func look(at now: Date) {
        // The lock is for what connections need; only this service changes it.
        var (folder, watch) = state.withLock { ($0.folder, $0.watch) }
        let stamps = Self.stamps(source, &folder)
        var loaded: CertificateSet?
        switch watch.look(stamps) {
        case .nothing:
            break
        case .report(let reason):
            logger.error("changed certificates can't be used, the old ones stay", metadata: ["reason": "\(reason)"])
        case .load:
            do {
                let certificates = try Self.load(source, &folder)
                let context = try certificates.context()
                watch.loaded(stamps)
                loaded = certificates
                state.withLock { state in
                    state.certificates = certificates
                    state.context = context
                }
            } catch {
                watch.failed(stamps, reason: "\(error)")
            }
        }
        state.withLock { [folder, watch] state in
            state.folder = folder
            state.watch = watch
        }
        if let loaded {
            introduce(loaded, folder?.entries.unheeded ?? [], now: now)
        } else {
            remind(isNew: false, now: now)
        }
    }

    private func introduce(_ set: CertificateSet, _ unheeded: [String], now: Date) {
        for certificate in set.certificates {
            logger.info(
                "certificate",
                metadata: [
                    "file": "\(certificate.file)", "hosts": "\(certificate.hosts.joined(separator: ", "))",
                    "until": "\(ServerCertificate.day(certificate.validUntil))",
                ]
            )
            if let warning = certificate.chainWarning { logger.warning("\(warning)") }
        }
        for part in unheeded {
            logger.warning("\(part) in certificates.toml is not heeded: TLS 1.2 or newer is spoken")
        }
        remind(isNew: true, now: now)
    }

    private func remind(isNew: Bool, now: Date) {
        let warnings = state.withLock { state in
            state.reminder.warnings(of: state.certificates.certificates, at: now, isNew: isNew)
        }
        for warning in warnings { logger.warning("\(warning)") }
    }
}

extension CertificateKeeper {
    /// The state of every file that counts.
    private static func stamps(_ source: TLSSource, _ folder: inout FolderEntries?) -> [FileStamp?] {
        switch source {
        case .files(let certificate, let privateKey):
            return [FileStamp(certificate), FileStamp(privateKey)]
        case .folder(let path):
            let place = CertificateFolder(path: path)
            let entries = try? entries(place, &folder)
            let files = (entries?.files ?? []).flatMap { [$0.certificate, $0.privateKey] }
            return [FileStamp(place.list)] + files.map { place.find($0).path.flatMap(FileStamp.init) }
        }
    }

    private static func load(_ source: TLSSource, _ folder: inout FolderEntries?) throws(TLSError) -> CertificateSet {
        switch source {
        case .files(let certificate, let privateKey):
            return CertificateSet([
                try ServerCertificate(CertificateFiles(certificate: certificate, privateKey: privateKey))
            ])
        case .folder(let path):
            let place = CertificateFolder(path: path)
            var certificates: [ServerCertificate] = []
            for files in try entries(place, &folder).files {
                certificates.append(try ServerCertificate(files.found(in: place)))
            }
            return CertificateSet(certificates)
        }
    }

    /// What the list says, read again only when the file has changed: each reading takes memory that TOMLKit does not give
    /// back.
    private static func entries(
        _ place: CertificateFolder,
        _ folder: inout FolderEntries?
    ) throws(TLSError) -> CertificateFolder.Entries {
        let stamp = FileStamp(place.list)
        if let folder, folder.stamp == stamp { return folder.entries }
        let entries = try place.entries()
        folder = FolderEntries(stamp: stamp, entries: entries)
        return entries
    }
}
