// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import NereidVision
import Synchronization

@testable import NereidJobs

/// Jobs in memory, answered by the test.
actor StubJobStore: BulkJobStore {
    private struct Kept {
        var job: BulkJob
        let order: BulkOrder
        var results: [BulkResult] = []
    }

    private var kept: [String: Kept] = [:]
    private var ids: [String] = []
    private var waiting: [AsyncStream<Void>.Continuation] = []
    private var notices: [BulkNotice] = []
    private var failure: BulkError?
    private var oneFailure: BulkError?
    /// The jobs that somebody waits for at this moment, as they begin to.
    nonisolated let waits: AsyncStream<String>
    private nonisolated let waitContinuation: AsyncStream<String>.Continuation
    /// The jobs whose results are read, as they begin to be.
    nonisolated let reads: AsyncStream<String>
    private nonisolated let readContinuation: AsyncStream<String>.Continuation
    /// What became of notices, as they are settled.
    nonisolated let settlements: AsyncStream<Settlement>
    private nonisolated let settlementContinuation: AsyncStream<Settlement>.Continuation
    /// When every job is said to have come.
    static let created = Date(timeIntervalSince1970: 1_795_604_400)

    struct Settlement: Sendable {
        let id: String
        let state: BulkJob.Webhook
        let retry: Date?
    }

    init() {
        (waits, waitContinuation) = AsyncStream.makeStream()
        (reads, readContinuation) = AsyncStream.makeStream()
        (settlements, settlementContinuation) = AsyncStream.makeStream()
    }

    /// From now on nothing is accepted or found.
    func fail(with error: BulkError?) {
        failure = error
        wake()
    }

    /// The next look at a job fails, and none after it.
    func failOnce(with error: BulkError) { oneFailure = error }

    /// The orders that were accepted, the oldest first.
    var orders: [BulkOrder] { ids.compactMap { kept[$0]?.order } }

    func accept(_ order: BulkOrder) throws -> (job: BulkJob, isNew: Bool) {
        if let failure { throw failure }
        if let key = order.idempotencyKey, let earlier = kept.values.first(where: { $0.order.idempotencyKey == key }) {
            guard earlier.order.byteCount == order.byteCount, earlier.order.options == order.options else {
                throw BulkError.keyReused(key: key)
            }
            return (earlier.job, false)
        }
        let job = BulkJob(
            id: "job-\(ids.count + 1)",
            model: order.model,
            created: Self.created,
            pictures: order.pictures.count,
            webhook: order.webhook == nil ? nil : .waiting
        )
        ids.append(job.id)
        kept[job.id] = Kept(job: job, order: order)
        return (job, true)
    }

    /// Answers a job's next picture.
    func answer(_ id: String, _ outcome: Result<JobAnswer, any Error> = .success(.nothing)) {
        guard var kept = kept[id], kept.job.finished == nil else { return }
        let picture = kept.results.count
        kept.results.append(
            BulkResult(
                sequence: picture + 1,
                picture: picture,
                name: kept.order.pictures[picture].name,
                outcome: outcome
            )
        )
        kept.job.done += 1
        if case .failure = outcome { kept.job.failed += 1 }
        if kept.job.done == kept.job.pictures {
            kept.job.finished = Self.created + 61.5
            kept.job.expires = Self.created + 86_400
            if let url = kept.order.webhook { notices.append(BulkNotice(job: kept.job, url: url, attempts: 0)) }
        }
        self.kept[id] = kept
        wake()
    }

    func job(_ id: String) throws -> BulkJob? {
        if let failure = oneFailure ?? failure {
            oneFailure = nil
            throw failure
        }
        return kept[id]?.job
    }

    func jobs(before: String?, limit: Int) -> [BulkJob] {
        let newest = ids.reversed().drop { before != nil && $0 != before }.dropFirst(before == nil ? 0 : 1)
        return newest.prefix(limit).compactMap { kept[$0]?.job }
    }

    func results(of id: String, after sequence: Int, limit: Int, bytes: Int) -> [BulkResult] {
        readContinuation.yield(id)
        readCount += 1
        if let text = documents[id] {
            let document = ByteBuffer(string: text)
            return sequence > 0 ? [] : [BulkResult(sequence: 1, picture: 0, name: nil, content: .document(document))]
        }
        var size = 0
        return (kept[id]?.results ?? []).drop { $0.sequence <= sequence }.prefix(limit).prefix { result in
            defer { size += (sizes[id] ?? { _ in 100 })(result) }
            return size < bytes
        }.map(\.self)
    }

    /// Says how large a job's results are.
    func say(_ id: String, _ size: @escaping @Sendable (BulkResult) -> Int) { sizes[id] = size }

    /// A job's only result is a document.
    func keep(_ document: String, as id: String) { documents[id] = document }

    /// The state of the store, which tests set.
    nonisolated var storage: BulkStorage { state.withLock(\.self) }
    nonisolated let state = Mutex(BulkStorage())

    /// How often results were read.
    private(set) var readCount = 0
    private var documents: [String: String] = [:]
    private var sizes: [String: @Sendable (BulkResult) -> Int] = [:]

    func waitForChange(of id: String, after sequence: Int, until deadline: ContinuousClock.Instant) async throws {
        if let failure { throw failure }
        guard let job = kept[id], job.job.finished == nil, job.results.count <= sequence else { return }
        let (changes, continuation) = AsyncStream<Void>.makeStream()
        waiting.append(continuation)
        waitContinuation.yield(id)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in changes {} }
            group.addTask { try? await Task.sleep(until: deadline, clock: .continuous) }
            await group.next()
            group.cancelAll()
        }
        try Task.checkCancellation()
    }

    func remove(_ id: String) -> Bool {
        ids.removeAll { $0 == id }
        defer { wake() }
        return kept.removeValue(forKey: id) != nil
    }

    func dueNotice(lease: Duration) throws -> BulkNotice? {
        if let failure { throw failure }
        return notices.isEmpty ? nil : notices.removeFirst()
    }

    /// A notice that is to be told again is due again at once, whenever that should be.
    func settleNotice(of id: String, as state: BulkJob.Webhook, retry: Date?) {
        kept[id]?.job.webhook = state
        if state == .waiting, let kept = kept[id], let url = kept.order.webhook {
            let attempts = (attempts[id] ?? 0) + 1
            self.attempts[id] = attempts
            notices.append(BulkNotice(job: kept.job, url: url, attempts: attempts))
        }
        settlementContinuation.yield(Settlement(id: id, state: state, retry: retry))
    }

    private var attempts: [String: Int] = [:]

    private func wake() {
        for continuation in waiting { continuation.finish() }
        waiting = []
    }
}

extension JobAnswer {
    /// An answer without detections.
    static let nothing = JobAnswer.detections([])

    /// An answer with detections, to a picture of 160 × 120.
    static func detections(_ detections: [Detection]) -> JobAnswer {
        JobAnswer(
            task: .detect,
            detections: detections,
            classifications: [],
            size: PixelSize(width: 160, height: 120),
            picture: nil,
            timing: JobTiming(
                queue: .milliseconds(1),
                decode: .milliseconds(2),
                inference: .milliseconds(3),
                postprocessing: .milliseconds(4)
            )
        )
    }
}
