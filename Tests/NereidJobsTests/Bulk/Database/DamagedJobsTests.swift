// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import Logging
import NIOCore
import Testing

@testable import NereidJobs

@Suite("Files of jobs that others have changed", .timeLimit(.minutes(2)))
struct DamagedJobsTests {
    let fixture: BulkFixture
    let database: String
    let log: String

    init() throws {
        fixture = try BulkFixture()
        database = fixture.path + "/jobs.sqlite"
        log = database + "-wal"
    }

    static func reason(_ error: BulkError?) -> String {
        guard case .damaged(let reason) = error else { return "another error: \(String(describing: error))" }
        return reason
    }

    func data(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    func write(_ data: Data, to path: String) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.write(contentsOf: data)
        try file.truncate(atOffset: UInt64(data.count))
    }

    /// A folder as a process that was killed leaves it, with some jobs whose rows are still in the log.
    func killed(jobs: Int) async throws -> [String] {
        let store = try await fixture.open(at: fixture.folder.path + "/first")
        var ids: [String] = []
        for number in 0..<jobs {
            // The first is in the database.
            if number == 1 { _ = try await store.maintain { try $0.checkpoint(.truncate) } }
            ids.append(try await store.accept(.small(2)).job.id)
        }
        try FileManager.default.copyItem(atPath: fixture.folder.path + "/first", toPath: fixture.path)
        return ids
    }

    @Test("say how many jobs are missing when the log was removed while nothing ran")
    func logRemoved() async throws {
        let ids = try await killed(jobs: 3)
        try FileManager.default.removeItem(atPath: log)
        var store: DatabaseJobStore? = try await fixture.open()
        let finding = try #require(store?.storage.troubles.first)
        #expect(finding.hasPrefix("2 of the jobs accepted before are missing from the database in \(fixture.path)"))
        #expect(try await store?.job(ids[0]) != nil)
        #expect(try await store?.job(ids[1]) == nil)
        // It is said once; the jobs that come are counted anew.
        _ = try await store?.accept(.small(1))
        store = nil
        #expect(try await fixture.open().storage.troubles.isEmpty)
    }

    @Test("say so when the log was cut short, or overwritten", arguments: [true, false])
    func logDamaged(isCut: Bool) async throws {
        let ids = try await killed(jobs: 3)
        var bytes = try data(log)
        if isCut {
            bytes = bytes.prefix(bytes.count / 3)
        } else {
            bytes.replaceSubrange(
                bytes.count / 3..<bytes.count,
                with: Data(repeating: 0x55, count: bytes.count * 2 / 3 + 1)
            )
        }
        try bytes.write(to: URL(fileURLWithPath: log))
        let store = try await fixture.open()
        #expect(store.storage.troubles.first?.contains("of the jobs accepted before are missing") == true)
        #expect(try await store.job(ids[0]) != nil)
        #expect(try await store.job(ids[2]) == nil)
    }

    @Test("say nothing after an end that closed nothing", arguments: [1, 3])
    func killedOnly(jobs: Int) async throws {
        let ids = try await killed(jobs: jobs)
        let store = try await fixture.open()
        #expect(store.storage.troubles.isEmpty)
        for id in ids { #expect(try await store.job(id) != nil) }
    }

    @Test("keep the log of a database that is gone")
    func databaseGone() async throws {
        _ = try await killed(jobs: 2)
        let bytes = try data(log)
        try FileManager.default.removeItem(atPath: database)
        let store = try await fixture.open()
        let troubles = store.storage.troubles
        #expect(troubles.contains { $0.contains("is gone or empty, but its log was there") })
        #expect(troubles.contains { $0.hasPrefix("2 of the jobs accepted before are missing") })
        let aside = try FileManager.default.contentsOfDirectory(atPath: fixture.path).filter { $0.contains(".aside-") }
        #expect(try aside.map { try data("\(fixture.path)/\($0)") } == [bytes])
    }

    @Test("are looked through when they are opened")
    func cutWhileClosed() async throws {
        var store: DatabaseJobStore? = try await fixture.open()
        _ = try await store?.accept(DiskFullTests.order(10, bytes: 20_000))
        _ = try await store?.maintain { try $0.checkpoint(.truncate) }
        store = nil
        try write(try data(database).prefix(100_000), to: database)
        let error = await #expect(throws: BulkError.self) { try await fixture.open() }
        #expect(Self.reason(error).contains("is damaged"))
        #expect(Self.reason(error).contains("docs/jobs.md"))
    }

    @Test("that are cut while they are open are noticed, and not written any more")
    func cutWhileOpen() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(DiskFullTests.order(10, bytes: 20_000)).job.id
        _ = try await store.maintain { try $0.checkpoint(.truncate) }
        #expect(await store.examine() == nil)
        let bytes = try data(database)
        try write(bytes.prefix(100_000), to: database)
        #expect(Self.reason(await store.examine()).contains("jobs.sqlite is cut short"))
        #expect(!store.storage.isAvailable)
        for call in [
            { _ = try await store.job(id) }, { _ = try await store.accept(.small(1)) },
            { _ = try await store.remove(id) },
        ] as [@Sendable () async throws -> Void] {
            let error = await #expect(throws: BulkError.self) { try await call() }
            #expect(Self.reason(error).contains("is cut short"))
        }
    }

    @Test(
        "are still locked after they were looked at: a program that reads them does not remove the log",
        .enabled(if: PythonProcess.hasSQLite, "python3 is not there")
    )
    func otherReader() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(2)).job.id
        for _ in 0..<3 { #expect(await store.examine() == nil) }
        #expect(try PythonProcess.countJobs(in: database) == 1)
        #expect(await store.examine() == nil)
        #expect(try await store.job(id) != nil)
    }

    static let quiet = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

    /// A store that is looked after, and its service.
    func supervised(_ logger: Logger = quiet) async throws -> SupervisedJobStore {
        var pace = SupervisedJobStore.Pace()
        pace.reopening = .milliseconds(20)
        pace.examining = .milliseconds(20)
        let fixture = fixture
        return try await SupervisedJobStore(folder: fixture.path, logger: logger, pace: pace) { store in
            BulkRunner(
                store: store,
                queue: ScriptedQueue(),
                model: { BulkRunnerTests.model($0) },
                logger: Self.quiet,
                pace: BulkRunnerTests.pace()
            )
        } open: {
            try await fixture.open()
        }
    }

    func running(_ store: SupervisedJobStore, _ body: () async throws -> Void) async throws {
        let task = Task { await store.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        task.cancel()
        await task.value
        try result.get()
    }

    /// Waits until a job can be read, or is not there.
    func job(_ id: String, in store: SupervisedJobStore) async throws -> BulkJob? {
        while true {
            do { return try await store.job(id) } catch is BulkError { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    @Test("that are removed while they are open are put back, with all jobs")
    func removedWhileOpen() async throws {
        let store = try await supervised()
        try await running(store) {
            let id = try await store.accept(.small(2, key: "k")).job.id
            try FileManager.default.removeItem(atPath: database)
            while FileIdentity(database) == nil { try await Task.sleep(for: .milliseconds(5)) }
            #expect(try await job(id, in: store)?.pictures == 2)
            #expect(try await store.accept(.small(2, key: "k")).job.id == id)
            let attributes = try FileManager.default.attributesOfItem(atPath: database)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(store.storage.troubles.isEmpty)
        }
    }

    @Test("lose nothing when the log is removed while it is open")
    func logRemovedWhileOpen() async throws {
        let store = try await supervised()
        try await running(store) {
            let id = try await store.accept(.small(2)).job.id
            try FileManager.default.removeItem(atPath: log)
            while FileIdentity(log) == nil { try await Task.sleep(for: .milliseconds(5)) }
            #expect(try await job(id, in: store) != nil)
        }
        // What is accepted afterwards is in files that have a name.
        let copy = try await fixture.afterCrash()
        #expect(try await copy.jobs(before: nil, limit: 9).count == 1)
    }

    @Test("keep a copy of what was there when another file takes their place")
    func replacedWhileOpen() async throws {
        let store = try await fixture.open()
        let id = try await store.accept(.small(2)).job.id
        let other = fixture.folder.path + "/other"
        try Data("something else".utf8).write(to: URL(fileURLWithPath: other))
        try FileManager.default.removeItem(atPath: database)
        try FileManager.default.moveItem(atPath: other, toPath: database)
        #expect(Self.reason(await store.examine()).contains("was replaced while it was in use"))
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: fixture.path).first { $0.hasPrefix("jobs.rescued-") }
        )
        let copy = try DatabaseQueue(path: fixture.path + "/" + name)
        #expect(try await copy.read { try String.fetchAll($0, sql: "SELECT id FROM job") } == [id])
    }

    @Test(
        "that are damaged are waited for: jobs say why they are not available, and are again when the files are moved away"
    )
    func waiting() async throws {
        try FileManager.default.createDirectory(atPath: fixture.path, withIntermediateDirectories: true)
        let garbage = Data(repeating: 0x55, count: 10_000)
        try garbage.write(to: URL(fileURLWithPath: database))
        let store = try await supervised()
        #expect(!store.storage.isAvailable)
        #expect(store.storage.troubles.first?.contains("is damaged") == true)
        #expect(store.storage.fileBytes.map { $0 >= 10_000 } == true)
        try await running(store) {
            let error = await #expect(throws: BulkError.self) { try await store.accept(.small(1)) }
            #expect(Self.reason(error).contains("Move jobs.sqlite and the files beside it away"))
            #expect(try data(database) == garbage)
            try FileManager.default.moveItem(atPath: database, toPath: fixture.folder.path + "/aside")
            while !store.storage.isAvailable { try await Task.sleep(for: .milliseconds(5)) }
            #expect(try await store.accept(.small(1)).isNew)
        }
    }

    @Test("whose pages turn out to be damaged while jobs run are closed, and said so")
    func damagedWhileRunning() async throws {
        var first: DatabaseJobStore? = try await fixture.open()
        let id = try #require(try await first?.accept(DiskFullTests.order(30, bytes: 40_000)).job.id)
        _ = try await first?.maintain { try $0.checkpoint(.truncate) }
        first = nil
        let store = try await supervised()
        try await running(store) {
            var bytes = try data(database)
            let pages = bytes.count / 4096
            for page in 1..<pages {
                bytes.replaceSubrange(page * 4096..<page * 4096 + 64, with: Data(repeating: 0x55, count: 64))
            }
            try write(bytes, to: database)
            while store.storage.isAvailable {
                _ = try? await store.jobs(before: nil, limit: 9)
                _ = try? await store.results(of: id, after: 0, limit: 9)
                _ = try? await store.remove(id)
                try await Task.sleep(for: .milliseconds(5))
            }
            let error = await #expect(throws: BulkError.self) { try await store.job(id) }
            #expect(Self.reason(error).contains("is damaged"))
        }
    }
}
