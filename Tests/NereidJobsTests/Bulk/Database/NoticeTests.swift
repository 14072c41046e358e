// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@testable import NereidJobs

@Suite("Webhooks that are to be told", .timeLimit(.minutes(2)))
struct NoticeTests {
    let fixture: BulkFixture

    init() throws {
        fixture = try BulkFixture()
    }

    /// Jobs of one picture with a webhook, done one after another, a second apart.
    func done(_ count: Int, in store: DatabaseJobStore) async throws -> [String] {
        var ids: [String] = []
        for number in 0..<count {
            ids.append(try await store.accept(.small(1, webhook: "https://example.org/\(number)")).job.id)
            try await store.answer([0], of: try await store.lastNumber())
            fixture.clock.goOn(by: 1)
        }
        return ids
    }

    @Test("are due when the job is done, and not before; jobs without one never are")
    func due() async throws {
        let store = try await fixture.open()
        let job = try await store.accept(.small(2, webhook: "https://example.org/x")).job
        #expect(job.webhook == .waiting)
        let number = try await store.lastNumber()
        try await store.answer([0], of: number)
        #expect(try await store.dueNotice(lease: .seconds(60)) == nil)
        try await store.answer([1], of: number)
        _ = try await store.accept(.small(1))
        try await store.answer([0], of: try await store.lastNumber())
        let finished = try #require(try await store.job(job.id))
        #expect(
            try await store.dueNotice(lease: .seconds(60))
                == BulkNotice(job: finished, url: "https://example.org/x", attempts: 0)
        )
        #expect(try await store.dueNotice(lease: .seconds(60)) == nil)
    }

    @Test("carry the trace of the order")
    func trace() async throws {
        let store = try await fixture.open()
        var order = BulkOrder.small(1, webhook: "https://example.org/x")
        order.trace = TraceParent(TraceParentTests.valid)
        _ = try await store.accept(order)
        try await store.answer([0], of: try await store.lastNumber())
        #expect(try await store.dueNotice(lease: .seconds(60))?.trace == order.trace)
    }

    @Test("come in the order in which they fell due, each to one asker")
    func order() async throws {
        let store = try await fixture.open()
        let ids = try await done(3, in: store)
        var told: [String?] = []
        for _ in 0..<4 { told.append(try await store.dueNotice(lease: .seconds(60))?.job.id) }
        #expect(told == ids + [nil])
    }

    @Test("are due again when the lease is over and nobody has said what became of them")
    func lease() async throws {
        let store = try await fixture.open()
        _ = try await done(1, in: store)
        #expect(try await store.dueNotice(lease: .seconds(30))?.attempts == 0)
        fixture.clock.goOn(by: 29)
        #expect(try await store.dueNotice(lease: .seconds(30)) == nil)
        fixture.clock.goOn(by: 1)
        #expect(try await store.dueNotice(lease: .seconds(30))?.attempts == 1)
        // Also for the process that comes after.
        fixture.clock.goOn(by: 30)
        #expect(try await fixture.afterCrash().dueNotice(lease: .seconds(30))?.attempts == 2)
    }

    @Test("are tried again when they should be, and no more once delivered or given up")
    func settling() async throws {
        let store = try await fixture.open()
        let ids = try await done(2, in: store)
        for _ in ids { _ = try await store.dueNotice(lease: .seconds(60)) }
        try await store.settleNotice(of: ids[0], as: .waiting, retry: fixture.clock.now + 10)
        try await store.settleNotice(of: ids[1], as: .delivered, retry: nil)
        #expect(try await store.job(ids[1])?.webhook == .delivered)
        fixture.clock.goOn(by: 10)
        #expect(try await store.dueNotice(lease: .seconds(60))?.job.id == ids[0])
        #expect(try await store.job(ids[0])?.webhook == .waiting)
        try await store.settleNotice(of: ids[0], as: .givenUp(reason: "it answers 500"), retry: nil)
        #expect(try await store.job(ids[0])?.webhook == .givenUp(reason: "it answers 500"))
        fixture.clock.goOn(by: 1000)
        #expect(try await store.dueNotice(lease: .seconds(60)) == nil)
    }

    @Test("settle nothing for a job that has none, or is not done")
    func strangers() async throws {
        let store = try await fixture.open()
        let plain = try await store.accept(.small(1)).job.id
        let waiting = try await store.accept(.small(1, webhook: "https://example.org")).job.id
        for id in [plain, waiting, "0"] { try await store.settleNotice(of: id, as: .delivered, retry: nil) }
        #expect(try await store.job(plain)?.webhook == nil)
        #expect(try await store.job(waiting)?.webhook == .waiting)
    }
}
