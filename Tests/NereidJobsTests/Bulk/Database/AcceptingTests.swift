// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import GRDB
import NIOCore
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs

@Suite("Accepting orders", .timeLimit(.minutes(2)))
struct AcceptingTests {
    let fixture: BulkFixture

    init() throws {
        fixture = try BulkFixture()
    }

    @Test("a repeated key finds its job, also after it is done, until its results are forgotten")
    func sameKey() async throws {
        let store = try await fixture.open(BulkLimits(life: .seconds(100)))
        let first = try await store.accept(.small(1, key: "a"))
        #expect(try await store.accept(.small(1, key: "a")) == (first.job, false))
        #expect(try await store.accept(.small(1, key: "b")).isNew)
        #expect(try await store.accept(.small(1)).isNew)
        #expect(try await store.accept(.small(1)).isNew)
        try await store.answer([0], of: try await store.unfinished(after: 0)[0].number)
        let repeated = try await store.accept(.small(1, key: "a"))
        #expect(!repeated.isNew && repeated.job.id == first.job.id && repeated.job.state == .done)
        fixture.clock.goOn(by: 100)
        let later = try await store.accept(.small(1, key: "a"))
        #expect(later.isNew && later.job.id != first.job.id)
    }

    @Test("an empty picture is kept like any other, and is a result like any other")
    func emptyPicture() async throws {
        let store = try await fixture.open()
        let pictures = ["a.png", "b.png"].map { BulkOrder.Picture(name: $0, bytes: ByteBuffer()) }
        let id = try await store.accept(BulkOrder(model: "demo", pictures: pictures)).job.id
        let number = try await store.lastNumber()
        #expect(try await store.begin(1, of: number)?.picture == ByteBuffer())
        try await store.record(.failure(ImagingError.emptyFile), for: 1, of: number)
        let job = try #require(try await store.job(id))
        #expect((job.pictures, job.done, job.failed) == (2, 1, 1))
    }

    static let others: [BulkOrder] = [
        .small(2, key: "k"),
        .small(1, model: "other", key: "k"),
        .small(1, options: .init(confidence: 0.5), key: "k"),
        .small(1, webhook: "https://example.org", key: "k"),
        BulkOrder(model: "demo", pictures: [.init(bytes: ByteBuffer(string: "picture 0"))], idempotencyKey: "k"),
        BulkOrder(
            model: "demo",
            pictures: [.init(name: "", bytes: ByteBuffer(string: "picture 0"))],
            idempotencyKey: "k"
        ),
        BulkOrder(
            model: "demo",
            pictures: [.init(name: "0.png", bytes: ByteBuffer(string: "PICTURE 0"))],
            idempotencyKey: "k"
        ),
    ]

    @Test("a key that comes with another order is refused", arguments: others.indices)
    func otherOrder(index: Int) async throws {
        let store = try await fixture.open()
        _ = try await store.accept(.small(1, key: "k"))
        await #expect(throws: BulkError.keyReused(key: "k")) { try await store.accept(Self.others[index]) }
        #expect(try await store.jobs(before: nil, limit: 9).count == 1)
    }

    @Test("two orders that are the same bytes one after another are not the same order")
    func boundaries() async throws {
        func order(_ texts: String...) -> BulkOrder {
            BulkOrder(model: "m", pictures: texts.map { .init(name: $0, bytes: ByteBuffer(string: $0)) })
        }
        #expect(try await order("ab", "c").digest() != order("a", "bc").digest())
        #expect(try await order("ab", "c").digest() == order("ab", "c").digest())
    }

    @Test("of many at once with one key, one makes the job")
    func race() async throws {
        let store = try await fixture.open()
        let accepted = try await withThrowingTaskGroup(of: (String, Bool).self) { group in
            for _ in 0..<16 {
                group.addTask {
                    let (job, isNew) = try await store.accept(.small(2, key: "k"))
                    return (job.id, isNew)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(accepted.map(\.0)).count == 1)
        #expect(accepted.filter(\.1).count == 1)
        #expect(try await store.jobs(before: nil, limit: 99).count == 1)
    }

    @Test("of many at once without a key, each makes one, and their ids differ")
    func crowd() async throws {
        let store = try await fixture.open()
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 { group.addTask { try await store.accept(.small(2)).job.id } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(ids.count == 16)
        #expect(try await store.unfinished(after: 0).map(\.fresh) == Array(repeating: [0, 1], count: 16))
    }

    @Test("more bytes than may wait are refused, until some are answered")
    func bytes() async throws {
        let store = try await fixture.open(BulkLimits(bytes: 30))
        // Nine bytes each.
        let id = try await store.accept(.small(2)).job.id
        let full = BulkError.full(limit: "at most 30 bytes of pictures may wait", setting: "job_bytes")
        await #expect(throws: full) { try await store.accept(.small(2)) }
        _ = try await store.accept(.small(1))
        await #expect(throws: full) { try await store.accept(.small(1)) }
        try await store.answer([1], of: try await store.unfinished(after: 0)[0].number)
        _ = try await store.accept(.small(1))
        await #expect(throws: full) { try await store.accept(.small(1)) }
        _ = try await store.remove(id)
        _ = try await store.accept(.small(1))
        await #expect(throws: BulkError.tooLarge(bytes: 36, limit: 30)) { try await store.accept(.small(4)) }
        #expect(full.description.contains("setting job_bytes"))
    }

    @Test("a disk that fills up in the middle is told of, and leaves nothing half-written")
    func fullDisk() async throws {
        let store = try await fixture.open()
        let pages = try await store.maintain { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
        _ = try await store.maintain { try Int.fetchOne($0, sql: "PRAGMA max_page_count = \(pages + 50)") }
        let pictures = (0..<8).map { BulkOrder.Picture(name: "\($0)", bytes: ByteBuffer(repeating: 1, count: 100_000)) }
        let error = await #expect(throws: BulkError.self) {
            try await store.accept(BulkOrder(model: "demo", pictures: pictures, idempotencyKey: "k"))
        }
        #expect(
            error?.description == "jobs can't be kept: the disk of \(fixture.path) is full. "
                + "Make room there, or give another folder (setting jobs)"
        )
        for table in ["job", "picture", "upload"] {
            #expect(try await store.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM \(table)") } == 0)
        }
        _ = try await store.maintain { try Int.fetchOne($0, sql: "PRAGMA max_page_count = 1000000") }
        #expect(try await store.accept(BulkOrder(model: "demo", pictures: pictures, idempotencyKey: "k")).isNew)
    }

    @Test("an order whose client has gone is not accepted")
    func cancelled() async throws {
        let store = try await fixture.open()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            _ = try await store.accept(.small(1))
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await store.jobs(before: nil, limit: 9).isEmpty)
    }
}
