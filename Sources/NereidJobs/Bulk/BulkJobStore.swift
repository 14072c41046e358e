// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation

/// Where bulk jobs and their results are kept: in a database of this process, or in Redis.
///
/// Every call may throw ``BulkError/unavailable(reason:)`` and ``BulkError/damaged(reason:)``.
public protocol BulkJobStore: Sendable {
    /// Accepts an order. When this returns the job is safe: it will be done though this process, or this machine's power, ends
    /// at this moment.
    ///
    /// - Returns: the job, and whether it is new: a repeated ``BulkOrder/idempotencyKey`` finds the job that it made.
    /// - Throws: ``BulkError/full(limit:setting:)``, ``BulkError/noSpace(reason:)``, ``BulkError/tooLarge(bytes:limit:)``,
    ///   ``BulkError/keyReused(key:)``.
    func accept(_ order: BulkOrder) async throws -> (job: BulkJob, isNew: Bool)

    /// A job as it stands; `nil` when there is none, or none any more.
    func job(_ id: String) async throws -> BulkJob?

    /// Jobs, the newest first.
    ///
    /// - Parameters:
    ///   - before: only those that were accepted before this one; `nil`: from the newest.
    ///   - limit: the most to return.
    func jobs(before: String?, limit: Int) async throws -> [BulkJob]

    /// Results of a job in the order in which they came.
    ///
    /// - Parameters:
    ///   - sequence: only those after this one; 0: from the first.
    ///   - limit: the most to return.
    ///   - bytes: the page ends with the result that brings the stored size of all to this.
    func results(of id: String, after sequence: Int, limit: Int, bytes: Int) async throws -> [BulkResult]

    /// Waits until the job has a result after a given one, is finished, or is gone; at the latest until the deadline.
    func waitForChange(of id: String, after sequence: Int, until deadline: ContinuousClock.Instant) async throws

    /// Removes a job with all that belongs to it. Pictures that have not begun are not run.
    ///
    /// - Returns: whether there was such a job.
    func remove(_ id: String) async throws -> Bool

    /// The finished job whose webhook is to be told next, if one is due. Nobody else is given it for the time of the lease; if
    /// it is not settled until then, it is due again.
    func dueNotice(lease: Duration) async throws -> BulkNotice?

    /// Says what became of telling a job's webhook.
    ///
    /// - Parameter retry: when to try again, where the state is ``BulkJob/Webhook/waiting``.
    func settleNotice(of id: String, as state: BulkJob.Webhook, retry: Date?) async throws

    /// The state of the store itself at this moment.
    var storage: BulkStorage { get }
}

extension BulkJobStore {
    /// Results of a job without a bound in bytes; see ``results(of:after:limit:bytes:)``.
    public func results(of id: String, after sequence: Int, limit: Int) async throws -> [BulkResult] {
        try await results(of: id, after: sequence, limit: limit, bytes: .max)
    }

    /// Nothing is known to be wrong, and no size is known.
    public var storage: BulkStorage { BulkStorage() }
}

/// The state of a store of bulk jobs.
public struct BulkStorage: Sendable, Hashable {
    /// Whether jobs can be read and ordered.
    public var isAvailable = true
    /// What is wrong with the store, each with what to do; empty if nothing is.
    public var troubles: [String] = []
    /// The bytes of its files; `nil` if it has none on this machine.
    public var fileBytes: Int?
    /// The bytes that are free on the disk of its files.
    public var freeBytes: Int?
    /// The bytes that are set aside on that disk for results and deletions.
    public var reservedBytes: Int?

    /// A store that is available, of which no more is known.
    public init() {}
}

/// How bulk jobs are kept.
public struct BulkLimits: Sendable, Hashable {
    /// The most bytes of pictures that may wait, of all jobs together; 8 GiB.
    public var bytes: Int
    /// How long finished jobs and their results are kept; a day.
    public var life: Duration
    /// The most bytes that pictures and results may take in the database together; `nil`: what the disk has.
    public var diskBytes: Int?

    /// Makes limits.
    public init(bytes: Int = 8 << 30, life: Duration = .seconds(24 * 3600), diskBytes: Int? = nil) {
        self.bytes = bytes
        self.life = life
        self.diskBytes = diskBytes
    }

    /// Whether there is room for an order beside the bytes that wait already.
    ///
    /// - Throws: ``BulkError/tooLarge(bytes:limit:)``, ``BulkError/full(limit:setting:)``.
    func checkRoom(for order: BulkOrder, beside waiting: Int) throws(BulkError) {
        guard order.byteCount <= bytes else { throw .tooLarge(bytes: order.byteCount, limit: bytes) }
        guard order.byteCount <= bytes - waiting else { throw isFull }
    }

    /// Why an order is refused that has no room now.
    var isFull: BulkError { .full(limit: "at most \(bytes) bytes of pictures may wait", setting: "job_bytes") }
}
