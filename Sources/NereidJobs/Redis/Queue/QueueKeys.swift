// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The names of all keys of a queue; docs/queue.md says what each holds.
struct QueueKeys: Sendable, Hashable {
    /// What all of them begin with, so that several queues may share a database.
    var prefix = "nereid"

    /// The name of the consumer group of every model's stream.
    static let group = "workers"

    /// A stream of a model's jobs.
    func jobs(_ stream: JobStream) -> String {
        switch stream.lane {
        case .interactive: "\(prefix):jobs:\(stream.model)"
        case .bulk: "\(prefix):bulk:\(stream.model)"
        }
    }

    /// The bytes of the pictures in a stream, as a number.
    func bytes(_ stream: JobStream) -> String {
        switch stream.lane {
        case .interactive: "\(prefix):bytes:\(stream.model)"
        case .bulk: "\(prefix):bulk-bytes:\(stream.model)"
        }
    }

    /// The stream of a model's jobs that were given up.
    func dead(of model: String) -> String { "\(prefix):dead:\(model)" }

    /// The picture of a job.
    func picture(of job: String) -> String { "\(prefix):picture:\(job)" }

    /// The stream of the answers to a gateway.
    func answers(to gateway: String) -> String { "\(prefix):answers:\(gateway)" }

    /// The set of the names of workers.
    var workers: String { "\(prefix):workers" }

    /// What a worker says of itself, again and again.
    func worker(_ name: String) -> String { "\(prefix):worker:\(name)" }

    /// What workers say of their models, written when it changes.
    func description(_ digest: String) -> String { "\(prefix):description:\(digest)" }

    /// The record of a bulk job.
    func record(_ id: String) -> String { "\(prefix):job:\(id)" }

    /// The results of a bulk job.
    func results(_ id: String) -> String { "\(record(id)):results" }

    /// The names of the pictures of a bulk job.
    func names(_ id: String) -> String { "\(record(id)):names" }

    /// The bulk job that an Idempotency-Key made.
    func order(_ key: String) -> String { "\(prefix):order:\(key)" }

    /// The ids of all bulk jobs.
    var bulkJobs: String { "\(prefix):bulk-jobs" }

    /// The models that bulk jobs were ever accepted for.
    var bulkModels: String { "\(prefix):bulk-models" }

    /// Bulk jobs whose webhook is to be told, each with when.
    var notices: String { "\(prefix):notices" }

    /// Which bulk jobs have changed of late.
    var changes: String { "\(prefix):changes" }
}

/// One of the streams of a model: each lane has its own.
struct JobStream: Sendable, Hashable {
    var model: String
    var lane: Lane
}
