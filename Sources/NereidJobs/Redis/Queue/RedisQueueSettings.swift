// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a queue in Redis is kept. Gateways and workers of one queue need the same ``prefix``.
public struct RedisQueueSettings: Sendable, Hashable {
    /// What the names of all keys begin with; `nereid`.
    public var prefix = "nereid"
    /// How often a worker says that it is there, and a gateway looks who is; half a second.
    public var pulse = Duration.milliseconds(500)
    /// How long a worker is believed to be there after it last said so; a second and a half.
    public var workerLife = Duration.milliseconds(1500)
    /// How long jobs are taken for a model after its last worker has gone, to wait for another; one minute.
    public var modelMemory = Duration.seconds(60)
    /// How long a job stays with a worker that says nothing of it, before another takes it; 5 seconds.
    public var claimAfter = Duration.seconds(5)
    /// To how many workers a job is given before it is given up; 3.
    public var deliveries = 3
    /// How long answers wait for a gateway that has lost its connection; 2 minutes.
    public var answerLife = Duration.seconds(120)
    /// How long pictures of jobs that were given up are kept; a week.
    public var deadLife = Duration.seconds(7 * 24 * 3600)

    /// The usual settings.
    public init() {}

    var keys: QueueKeys { QueueKeys(prefix: prefix) }

    /// The longest that one blocking read waits, so that a connection that has died in silence is noticed.
    var longestRead: Duration { .seconds(5) }
}
