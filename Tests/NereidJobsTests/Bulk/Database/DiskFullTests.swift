// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import GRDB
import NIOCore
import NereidVision
import Synchronization
import TestSupport
import Testing

@testable import NereidJobs

@Suite("Jobs on a full disk", .timeLimit(.minutes(2)))
struct DiskFullTests {
    let fixture: BulkFixture

    init() throws {
        fixture = try BulkFixture()
    }

    static func order(_ count: Int, bytes: Int, key: String? = nil) -> BulkOrder {
        BulkOrder(
            model: "demo",
            pictures: (0..<count).map { _ in .init(bytes: ByteBuffer(repeating: 7, count: bytes)) },
            idempotencyKey: key
        )
    }

    static func reason(_ error: BulkError?) -> String {
        guard case .noSpace(let reason) = error else { return "another error: \(String(describing: error))" }
        return reason
    }

    /// What is free, as a test says.
    final class Free: Sendable {
        private let bytes: Mutex<Int>
        init(_ bytes: Int) { self.bytes = Mutex(bytes) }
        func set(_ value: Int) { bytes.withLock { $0 = value } }
        var space: DiskSpace { DiskSpace { _ in self.bytes.withLock(\.self) } }
    }

    @Test("refuse an order before its first byte is written when the disk has too little room for it")
    func early() async throws {
        let free = Free(100 << 20)
        let store = try await fixture.open(space: free.space)
        #expect(store.storage.reservedBytes == 1 << 20 && store.storage.troubles.isEmpty)
        free.set(3 << 20)
        let files = store.storage.fileBytes
        let refused = await #expect(throws: BulkError.self) { try await store.accept(Self.order(1, bytes: 2 << 20)) }
        #expect(Self.reason(refused).contains("this order needs"))
        #expect(Self.reason(refused).contains("which has 3145728 free"))
        #expect(store.storage.fileBytes == files)
        // A smaller one fits, and pages that are free in the database count.
        let small = try await store.accept(Self.order(1, bytes: 500_000, key: "k")).job
        free.set(1)
        #expect(try await store.accept(Self.order(1, bytes: 500_000, key: "k")).job == small)
        #expect(try await store.remove(small.id))
    }

    @Test("refuse orders beyond the setting job_disk_bytes, and take them again when jobs are deleted")
    func quota() async throws {
        let store = try await fixture.open(BulkLimits(diskBytes: 3_000_000))
        let first = try await store.accept(Self.order(2, bytes: 1_000_000)).job
        let refused = await #expect(throws: BulkError.self) { try await store.accept(Self.order(1, bytes: 1_000_000)) }
        #expect(Self.reason(refused).contains("(setting job_disk_bytes)"))
        // What is accepted already goes on.
        try await store.answer([0, 1], of: try await store.lastNumber())
        #expect(try await store.accept(Self.order(1, bytes: 1_000_000)).isNew)
        #expect(try await store.remove(first.id))
    }

    @Test("refuse orders while nothing can be set aside, and say so")
    func noReserve() async throws {
        let free = Free(1 << 20)
        let store = try await fixture.open(space: free.space)
        #expect(store.storage.reservedBytes == 0)
        #expect(store.storage.troubles.contains { $0.contains("orders of jobs are refused") })
        let refused = await #expect(throws: BulkError.self) { try await store.accept(.small(1)) }
        #expect(Self.reason(refused).contains("too little to set 1048576 bytes aside"))
        free.set(100 << 20)
        #expect(try await store.accept(.small(1)).isNew)
        #expect(store.storage.troubles.isEmpty && store.storage.reservedBytes == 1 << 20)
    }

    @Test("keep results and delete jobs with what was set aside, and set it aside again")
    func reserve() async throws {
        var space = DiskSpace.system
        // SQLite says that the disk is full when its pages reach a number; the reserve gives it some more.
        space.afterRelease = { try $0.execute(sql: "PRAGMA max_page_count = 100000") }
        let store = try await fixture.open(space: space)
        let job = try await store.accept(.small(3)).job
        let number = try await store.lastNumber()
        try await store.maintain { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            try database.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
        let refused = await #expect(throws: BulkError.self) { try await store.accept(Self.order(4, bytes: 100_000)) }
        #expect(Self.reason(refused).contains("is full"))
        #expect(store.reserve.isHeld)
        let many = (0..<2000).map { Detection(box: Fixtures.redBox, score: 0.5, classID: $0, label: "a long label") }
        let answer = JobAnswer.box().with(many)
        #expect(try await store.record(.success(answer), for: 0, of: number))
        #expect(!store.reserve.isHeld)
        #expect(try await store.results(of: job.id, after: 0, limit: 9).count == 1)
        try await store.sweep()
        #expect(store.reserve.isHeld)
        #expect(try await store.remove(job.id))
    }

    @Test("have smaller files when jobs are gone")
    func shrinking() async throws {
        let store = try await fixture.open()
        let job = try await store.accept(Self.order(20, bytes: 1 << 20)).job
        let full = try #require(store.storage.fileBytes)
        #expect(full > 20 << 20)
        #expect(try await store.remove(job.id))
        try await store.sweep()
        #expect(try #require(store.storage.fileBytes) < 3 << 20)
    }

    @Test(
        "go on when a real disk is full: orders are refused, results and deletions are kept, and a process that is killed starts again",
        .enabled(if: SmallDisk.canMount, "\(SmallDisk.missing)")
    )
    func realDisk() async throws {
        let disk = try SmallDisk(megabytes: 24)
        let path = disk.path + "/jobs"
        var store: DatabaseJobStore? = try await fixture.open(at: path, reservedBytes: 4 << 20)
        var jobs: [BulkJob] = []
        let refused = await #expect(throws: BulkError.self) {
            while true { jobs.append(try await store!.accept(Self.order(4, bytes: 300_000)).job) }
        }
        #expect(Self.reason(refused).contains("this order needs"))
        #expect(jobs.count > 1)
        try disk.fill()
        #expect(try #require(store?.space.free(path)) < 4096)
        let refusedAgain = await #expect(throws: BulkError.self) { try await store!.accept(.small(1)) }
        #expect(Self.reason(refusedAgain).contains("the disk of"))
        try await store?.answer(0..<4, of: 1)
        #expect(try await store?.job(jobs[0].id)?.state == .done)
        #expect(try await store?.remove(jobs[0].id) == true)
        // As after `kill -9`: the lock is free, and nothing was closed in order.
        try disk.fill()
        try FileManager.default.copyItem(atPath: path + "/jobs.sqlite", toPath: fixture.folder.path + "/copy.sqlite")
        let wal = try Data(contentsOf: URL(fileURLWithPath: path + "/jobs.sqlite-wal"))
        store = nil
        try disk.empty()
        try FileManager.default.removeItem(atPath: path + "/jobs.sqlite")
        try FileManager.default.copyItem(atPath: fixture.folder.path + "/copy.sqlite", toPath: path + "/jobs.sqlite")
        try wal.write(to: URL(fileURLWithPath: path + "/jobs.sqlite-wal"))
        let reserve = JobReserve(path: path + "/jobs.reserve", size: 4 << 20)
        #expect(reserve.hold(of: .max))
        try disk.fill()
        let again = try await fixture.open(at: path, reservedBytes: 4 << 20)
        #expect(try await again.job(jobs[0].id) == nil)
        #expect(try await again.job(jobs[1].id)?.state == .waiting)
        try await again.answer(0..<4, of: 2)
        #expect(try await again.remove(jobs[1].id))
        try disk.empty()
        try await again.sweep()
        #expect(again.reserve.isHeld && again.storage.troubles.isEmpty)
        #expect(try await again.accept(.small(1)).isNew)
    }

    @Test("that can't even be opened are told of as that", .enabled(if: SmallDisk.canMount, "\(SmallDisk.missing)"))
    func noRoomAtAll() async throws {
        let disk = try SmallDisk(megabytes: 1)
        try disk.fill()
        let error = await #expect(throws: BulkError.self) { try await fixture.open(at: disk.path + "/jobs") }
        #expect(Self.reason(error).contains("is full"))
    }
}

extension JobAnswer {
    /// The same with other detections.
    func with(_ detections: [Detection]) -> JobAnswer {
        JobAnswer(
            task: task,
            detections: detections,
            classifications: [],
            size: size,
            picture: nil,
            timing: timing
        )
    }
}
