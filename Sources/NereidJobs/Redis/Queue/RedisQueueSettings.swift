// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a queue in Redis is kept. Gateways and workers of one queue need the same ``prefix``.
public struct RedisQueueSettings: Sendable, Hashable {
    /// What the names of all keys begin with; `nereid`.
    public var prefix = "nereid"
    /// How often a worker says that it is there, and a gateway looks who is; 0.3 seconds.
    public var pulse = Duration.milliseconds(300)
    /// How long a worker is believed to be there after it last said so; 1.2 seconds. With one pulse more, a worker that was
    /// killed is gone from every gateway's catalogue after 1.5 seconds.
    public var workerLife = Duration.milliseconds(1200)
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
    /// How long a bulk job waits for its last picture to be answered, before it is forgotten with what it has; 30 days.
    public var bulkPatience = Duration.seconds(30 * 24 * 3600)
    /// How long the pictures of an order stay that is never accepted, because its gateway ended; a quarter of an hour.
    public var stagingLife = Duration.seconds(15 * 60)

    /// The usual settings.
    public init() {}

    var keys: QueueKeys { QueueKeys(prefix: prefix) }

    /// How long what a worker says of its models stays after it last said that it is there.
    var descriptionLife: Duration { .seconds(60) }

    /// The longest that one blocking read waits, so that a connection that has died in silence is noticed.
    var longestRead: Duration { .seconds(5) }
}
