// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where jobs wait until a worker takes them.
public protocol JobQueue: Sendable {
    /// Puts a job in the queue and waits for its answer.
    ///
    /// When the calling task is cancelled the job is withdrawn: it is not run if it has not begun, and stopped if it has.
    ///
    /// - Throws: ``JobError``; `CancellationError`; or what decoding and prediction throw.
    func submit(_ job: Job) async throws -> JobAnswer

    /// How a model's jobs stand.
    func load(of model: String) -> QueueLoad

    /// The time until half of what waits for a model is done, from how fast its jobs were done lately; `nil`: it is not known.
    func timeUntilRoom(for model: String) -> Duration?
}

extension JobQueue {
    /// Nothing is known.
    public func timeUntilRoom(for model: String) -> Duration? { nil }
}

/// How many jobs wait and run for a model.
public struct QueueLoad: Sendable, Hashable {
    /// Jobs that wait.
    public var waiting: Int
    /// Bytes of pictures that wait.
    public var waitingBytes: Int
    /// Jobs that a worker has taken.
    public var running: Int

    /// No jobs.
    public static let idle = QueueLoad(waiting: 0, waitingBytes: 0, running: 0)
}

/// The most that may wait in front of one model.
public struct QueueLimits: Sendable, Hashable {
    /// Jobs that may wait; 64.
    public var jobs: Int
    /// Bytes of pictures that may wait; 256 MiB.
    public var bytes: Int

    /// Makes limits.
    public init(jobs: Int = 64, bytes: Int = 256 << 20) {
        self.jobs = jobs
        self.bytes = bytes
    }
}
