// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Two queues as one: some models have one of their own.
public struct JoinedQueue: JobQueue {
    private let own: any JobQueue
    private let models: Set<String>
    private let others: any JobQueue

    /// Joins queues.
    ///
    /// - Parameters:
    ///   - own: takes the jobs of some models.
    ///   - models: their names.
    ///   - others: takes the jobs of all others.
    public init(_ own: any JobQueue, for models: Set<String>, others: any JobQueue) {
        self.own = own
        self.models = models
        self.others = others
    }

    /// Puts a job in the queue of its model; see ``JobQueue/submit(_:)``.
    public func submit(_ job: Job) async throws -> JobAnswer { try await queue(of: job.model.name).submit(job) }

    /// How a model's jobs stand in its queue.
    public func load(of model: String) -> QueueLoad { queue(of: model).load(of: model) }

    /// The time until there is room in a model's queue.
    public func timeUntilRoom(for model: String) -> Duration? { queue(of: model).timeUntilRoom(for: model) }

    private func queue(of model: String) -> any JobQueue { models.contains(model) ? own : others }
}
