// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation

/// Where bulk jobs and their results are kept: in a database of this process, or in Redis.
///
/// Every call may throw ``BulkError/unavailable(reason:)``.
public protocol BulkJobStore: Sendable {
    /// Accepts an order. When this returns the job is safe: it will be done though this process, or this machine's power, ends
    /// at this moment.
    ///
    /// - Returns: the job, and whether it is new: a repeated ``BulkOrder/idempotencyKey`` finds the job that it made.
    /// - Throws: ``BulkError/full(limit:setting:)``, ``BulkError/tooLarge(bytes:limit:)``, ``BulkError/keyReused(key:)``.
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
    func results(of id: String, after sequence: Int, limit: Int) async throws -> [BulkResult]

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
}

/// How bulk jobs are kept.
public struct BulkLimits: Sendable, Hashable {
    /// The most bytes of pictures that may wait, of all jobs together; 8 GiB.
    public var bytes: Int
    /// How long finished jobs and their results are kept; a day.
    public var life: Duration

    /// Makes limits.
    public init(bytes: Int = 8 << 30, life: Duration = .seconds(24 * 3600)) {
        self.bytes = bytes
        self.life = life
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
