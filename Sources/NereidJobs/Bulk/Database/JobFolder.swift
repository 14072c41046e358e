// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The folder of the jobs' database, held by this process alone for as long as this value lives.
///
/// Two processes with one folder would each run every picture. The lock belongs to the open file, so that it ends with the
/// process however that ends.
final class JobFolder: Sendable {
    let path: String
    /// What was found that people should know, each with what to do.
    let findings: [String]
    private let lock: CInt
    /// The database, open for reading for as long as SQLite has it: closing any descriptor of a file would drop the locks that
    /// SQLite has on it (https://www.sqlite.org/howtocorrupt.html, 2.2), so that another program could remove the log.
    private let header: CInt

    /// The database.
    var database: String { path + "/jobs.sqlite" }
    /// The database's log of changes.
    var log: String { database + "-wal" }
    /// All that takes room.
    var files: [String] { Self.files(in: path) }

    /// All that takes room in a folder.
    static func files(in path: String) -> [String] {
        ["jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm", "jobs.reserve"].map { "\(path)/\($0)" }
    }

    /// Makes the folder if there is none, readable for this user only, and locks it.
    ///
    /// - Throws: ``BulkError/unavailable(reason:)``.
    init(_ path: String) throws(BulkError) {
        self.path = path
        try Self.make(path)
        let file = open(path + "/jobs.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.unusable(path, errno) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(file)
            guard code == EWOULDBLOCK else { throw Self.unusable(path, code) }
            throw .unavailable(
                reason: "another process keeps its jobs in \(path). Stop it, or give each its own folder (setting jobs)"
            )
        }
        lock = file
        findings = Self.setLogAside(path).map { [$0] } ?? []
        // SQLite gives the files beside the database the same permissions. It takes an empty file for a new database.
        header = open(path + "/jobs.sqlite", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard header >= 0 else { throw Self.unusable(path, errno) }
    }

    /// Another store may have the folder: SQLite has closed all files.
    func release() {
        flock(lock, LOCK_UN)
    }

    /// How many pages the header of the database counts, and their size; `nil` when there is no header to read.
    ///
    /// https://www.sqlite.org/fileformat2.html#the_database_header
    var pagesOfDatabase: (count: Int, size: Int)? {
        var bytes = [UInt8](repeating: 0, count: 100)
        guard pread(header, &bytes, bytes.count, 0) == bytes.count else { return nil }
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 << 8 | Int($1) } }
        let size = number(16..<18) == 1 ? 65_536 : number(16..<18)
        return (number(28..<32), size)
    }

    deinit {
        close(header)
        close(lock)
    }

    /// Without its database a log says nothing, and SQLite would remove it. People may still have the database.
    ///
    /// - Returns: what was found.
    private static func setLogAside(_ path: String) -> String? {
        let (database, log) = (path + "/jobs.sqlite", path + "/jobs.sqlite-wal")
        guard (FileIdentity(database)?.size ?? 0) == 0, (FileIdentity(log)?.size ?? 0) > 0 else { return nil }
        var seconds = time_t()
        time(&seconds)
        let aside = "jobs.sqlite-wal.aside-\(seconds)"
        rename(log, path + "/" + aside)
        return
            "\(database) is gone or empty, but its log was there: jobs that were accepted before are missing. The log is kept "
            + "as \(aside); if the database can be found, stop the server and put both back"
    }

    /// The folder with every folder above it that is missing.
    private static func make(_ path: String) throws(BulkError) {
        var missing: [String] = []
        var current = path
        while mkdir(current, 0o700) != 0 {
            guard errno != EEXIST else { break }
            let above = (current as NSString).deletingLastPathComponent
            guard errno == ENOENT, !above.isEmpty, above != current else { throw unusable(path, errno) }
            missing.append(current)
            current = above
        }
        for folder in missing.reversed() where mkdir(folder, 0o700) != 0 && errno != EEXIST {
            throw unusable(path, errno)
        }
    }

    private static func unusable(_ path: String, _ code: CInt) -> BulkError {
        if code == ENOSPC || code == EDQUOT { return .diskFull(path) }
        return .unavailable(
            reason: "the folder \(path) can't be used (\(String(cString: strerror(code)))). "
                + "Make it a folder that this user may write to, or give another (setting jobs)"
        )
    }
}

extension DatabaseJobStore {
    /// Where jobs are kept when nobody says where: the folder `nereid` in the user's folder for the state of programs,
    /// `$XDG_STATE_HOME`, or `~/.local/state` where that is not set. The XDG Base Directory Specification says so.
    ///
    /// - Parameter environment: the variables `XDG_STATE_HOME` and `HOME`.
    /// - Returns: `nil` where neither is set to an absolute path, as for a service without a home.
    public static func defaultFolder(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String? {
        // The specification: paths that are not absolute are to be ignored.
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return state + "/nereid" }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return home + "/.local/state/nereid"
    }
}
