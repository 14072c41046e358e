// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The names of all keys of a queue; docs/queue.md says what each holds.
struct QueueKeys: Sendable, Hashable {
    /// What all of them begin with, so that several queues may share a database.
    var prefix = "nereid"

    /// The name of the consumer group of every model's stream.
    static let group = "workers"

    /// The stream of a model's jobs.
    func jobs(of model: String) -> String { "\(prefix):jobs:\(model)" }

    /// The bytes of the pictures in a model's stream, as a number.
    func bytes(of model: String) -> String { "\(prefix):bytes:\(model)" }

    /// The stream of a model's jobs that were given up.
    func dead(of model: String) -> String { "\(prefix):dead:\(model)" }

    /// The picture of a job.
    func picture(of job: String) -> String { "\(prefix):picture:\(job)" }

    /// The stream of the answers to a gateway.
    func answers(to gateway: String) -> String { "\(prefix):answers:\(gateway)" }

    /// The set of the names of workers.
    var workers: String { "\(prefix):workers" }

    /// What a worker says of itself.
    func worker(_ name: String) -> String { "\(prefix):worker:\(name)" }
}
