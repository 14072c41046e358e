// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@testable import NereidJobs

/// Webhooks that are to be told.
extension RedisJobStoreTests {
    @Test("hand a webhook's notice to one gateway at a time, until it is settled")
    func notices() async throws {
        let server = try await RedisServer()
        defer { server.kill() }
        let model = try await Fixtures.served("blocks-v8")
        let stores = [try Self.store(server), try Self.store(server)]
        defer { for store in stores { store.shutDown() } }
        var order = try Self.order(1)
        order.webhook = "https://reef.example/done"
        order.trace = TraceParent(TraceParentTests.valid)
        let accepted = try await stores[0].accept(order).job
        let job = accepted
        #expect(job.webhook == .waiting)
        #expect(try await stores[0].dueNotice(lease: .seconds(9)) == nil)
        try await RedisQueueTests.running([try RedisQueueTests.worker(server, model)]) {
            _ = try await Self.finished(job.id, in: stores[0])
        }
        let notice = try #require(try await stores[1].dueNotice(lease: .seconds(1)))
        #expect(notice.url == "https://reef.example/done" && notice.attempts == 0)
        #expect(notice.trace == order.trace)
        #expect(notice.job == (try await stores[0].job(job.id)))
        #expect(try await stores[0].dueNotice(lease: .seconds(9)) == nil)
        // Who took it says nothing: it is due again.
        var again: BulkNotice?
        try await RedisQueueTests.until {
            again = try await stores[0].dueNotice(lease: .seconds(900))
            return again != nil
        }
        #expect(again?.attempts == 1)
        try await stores[0].settleNotice(of: job.id, as: .waiting, retry: .now + 900)
        #expect(try await stores[1].dueNotice(lease: .seconds(9)) == nil)
        try await stores[0].settleNotice(of: job.id, as: .waiting, retry: .now - 1)
        #expect(try await stores[1].dueNotice(lease: .seconds(900))?.attempts == 2)
        try await stores[1].settleNotice(of: job.id, as: .givenUp(reason: "nobody there"), retry: nil)
        #expect(try await stores[0].job(job.id)?.webhook == .givenUp(reason: "nobody there"))
        try await stores[1].settleNotice(of: job.id, as: .delivered, retry: nil)
        #expect(try await stores[0].job(job.id)?.webhook == .delivered)
        #expect(try await stores[0].dueNotice(lease: .seconds(9)) == nil)
        // A job that is gone has nothing to tell.
        #expect(try await stores[0].remove(job.id))
        try await stores[0].settleNotice(of: job.id, as: .waiting, retry: .now)
        #expect(try await stores[0].dueNotice(lease: .seconds(9)) == nil)
        #expect(try await stores[0].job(job.id) == nil)
    }
}
