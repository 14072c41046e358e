// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import Testing

@testable import NereidJobs

@Suite("The folder of jobs", .timeLimit(.minutes(2)))
struct JobFolderTests {
    let fixture: BulkFixture

    init() throws {
        fixture = try BulkFixture()
    }

    func permissions(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test("is made with the folders above it, for this user only")
    func making() async throws {
        let path = fixture.folder.path + "/a/b/jobs"
        let store = try await fixture.open(at: path)
        _ = try await store.accept(.small(1))
        for folder in ["/a", "/a/b", "/a/b/jobs"] { #expect(try permissions(fixture.folder.path + folder) == 0o700) }
        for file in ["jobs.sqlite", "jobs.sqlite-wal", "jobs.lock"] {
            #expect(try permissions(path + "/" + file) == 0o600, "\(file)")
        }
    }

    @Test("belongs to one store at a time")
    func lock() async throws {
        var store: DatabaseJobStore? = try await fixture.open()
        let id = try await #require(store).accept(.small(1)).job.id
        let expected = BulkError.unavailable(
            reason:
                "another process keeps its jobs in \(fixture.path). Stop it, or give each its own folder (setting jobs)"
        )
        await #expect(throws: expected) { try await fixture.open() }
        store = nil
        #expect(try await fixture.open().job(id) != nil)
    }

    @Test("that can't be made is told of")
    func unusable() async throws {
        let file = fixture.folder.path + "/file"
        try Data().write(to: URL(fileURLWithPath: file))
        for path in [file, file + "/jobs"] {
            let error = await #expect(throws: BulkError.self) { try await fixture.open(at: path) }
            #expect(
                error?.description == "jobs can't be kept: the folder \(path) can't be used (Not a directory). "
                    + "Make it a folder that this user may write to, or give another (setting jobs)"
            )
        }
    }

    @Test("with a database that is none is told of, and left as it is")
    func damaged() async throws {
        try FileManager.default.createDirectory(atPath: fixture.path, withIntermediateDirectories: true)
        let file = URL(fileURLWithPath: fixture.path + "/jobs.sqlite")
        let garbage = Data(repeating: 0x55, count: 10_000)
        try garbage.write(to: file)
        let error = await #expect(throws: BulkError.self) { try await fixture.open() }
        #expect(error?.description.contains("the database in \(fixture.path) is damaged. Move jobs.sqlite") == true)
        #expect(try Data(contentsOf: file) == garbage)
    }

    @Test("with pages that are overwritten is told of")
    func overwritten() async throws {
        var store: DatabaseJobStore? = try await fixture.open()
        let id = try await #require(store).accept(.small(50)).job.id
        // Out of the log, or what is overwritten here would be read from there.
        _ = try await store?.maintain { try $0.checkpoint(.truncate) }
        store = nil
        let file = fixture.path + "/jobs.sqlite"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        bytes.replaceSubrange(4096..<bytes.count, with: Data(repeating: 0x55, count: bytes.count - 4096))
        try bytes.write(to: URL(fileURLWithPath: file))
        let error = await #expect(throws: BulkError.self) { _ = try await fixture.open().job(id) }
        #expect(error?.description.contains("is damaged") == true)
    }

    @Test("of a later version is told of, and left as it is")
    func laterVersion() async throws {
        var store: DatabaseJobStore? = try await fixture.open()
        try await store?.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('2: later')") }
        store = nil
        let expected = BulkError.unavailable(
            reason: "\(fixture.path)/jobs.sqlite was written by a later version of this program. "
                + "Use that version, or give another folder (setting jobs)"
        )
        await #expect(throws: expected) { try await fixture.open() }
    }

    static let words: [(ResultCode, String)] = [
        (.SQLITE_FULL, "is full"), (.SQLITE_CORRUPT, "is damaged"), (.SQLITE_NOTADB, "is damaged"),
        (.SQLITE_READONLY, "can't be written"), (.SQLITE_CANTOPEN, "can't be written"),
        (.SQLITE_BUSY, "another program"),
        (.SQLITE_TOOBIG, "larger than a database can hold"), (.SQLITE_IOERR, "reports: "),
    ]

    @Test("each thing that can be wrong with a database has words", arguments: words)
    func errors(code: ResultCode, words: String) {
        let error = BulkError(DatabaseError(resultCode: code), in: "/jobs")
        #expect(error.description.hasPrefix("jobs can't be kept: "))
        #expect(error.description.contains(words))
    }

    @Test("is that of the user's state, if nobody says otherwise")
    func defaultFolder() {
        func folder(_ environment: [String: String]) -> String? {
            DatabaseJobStore.defaultFolder(environment: environment)
        }
        #expect(folder(["XDG_STATE_HOME": "/state", "HOME": "/home/a"]) == "/state/nereid")
        #expect(folder(["HOME": "/home/a"]) == "/home/a/.local/state/nereid")
        #expect(folder(["XDG_STATE_HOME": "state", "HOME": "/home/a"]) == "/home/a/.local/state/nereid")
        #expect(folder(["XDG_STATE_HOME": ""]) == nil)
        #expect(folder([:]) == nil)
    }
}
