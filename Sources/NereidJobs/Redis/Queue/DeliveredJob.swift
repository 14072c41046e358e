// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// An entry of a stream in the hands of a worker.
struct DeliveredJob: Sendable {
    let stream: JobStream
    let id: String
    let fields: [RedisReply]
    let entry: Result<JobEntry, MalformedEntry>
    /// How many workers have ended while they had it.
    var losses = 0
    /// `nil` until Redis has been asked for them; an entry that is no job has none.
    var particulars: Particulars?

    /// What a worker has to know to begin a job.
    struct Particulars: Sendable {
        /// How long it stood in the queue, by Redis' own clock: those of gateways and workers need not agree.
        let waited: Duration
        /// Whether the bulk job that it belongs to, if any, is still there.
        let isWanted: Bool
        /// `nil` when it is not in Redis any more.
        let picture: ByteBuffer?
    }

    /// `nil` when it is not there any more.
    init?(_ reply: RedisReply, of stream: JobStream) {
        guard let entry = StreamEntry(reply) else { return nil }
        (self.stream, id, fields) = (stream, entry.id, entry.fields)
        self.entry = Result { () throws(MalformedEntry) in try JobEntry(fields: entry.fields) }
    }
}

extension [DeliveredJob] {
    /// What brings the ``DeliveredJob/particulars`` of all; the replies go to ``knowing(_:)``. Nothing when none is a job.
    var questions: [RedisCommand] {
        let entries = compactMap { try? $0.entry.get() }
        return entries.isEmpty ? [] : [RedisCommand("TIME")] + entries.flatMap(\.questions)
    }

    /// The jobs with what Redis has replied to ``questions``.
    func knowing(_ replies: [RedisReply]) -> [DeliveredJob] {
        var replies = replies[...]
        let time = replies.popFirst()?.elements?.compactMap(\.integer) ?? []
        let now = time.count == 2 ? Duration.seconds(time[0]) + .microseconds(time[1]) : nil
        return map { job in
            var job = job
            job.particulars = (try? job.entry.get()).map { entry in
                DeliveredJob.Particulars(of: entry, waited: job.waited(until: now), takenFrom: &replies)
            }
            return job
        }
    }
}

extension JobEntry {
    fileprivate var questions: [RedisCommand] {
        (record.map { [RedisCommand("EXISTS", .text($0))] } ?? [])
            + (pictureKey.map { [RedisCommand("GET", .text($0))] } ?? [])
    }
}

extension DeliveredJob.Particulars {
    /// Takes the replies to an entry's questions, in their order.
    fileprivate init(of entry: JobEntry, waited: Duration, takenFrom replies: inout ArraySlice<RedisReply>) {
        self.waited = waited
        isWanted = entry.record == nil || replies.popFirst() != .integer(0)
        picture =
            switch entry.picture {
            case .inline(let bytes): bytes
            case .key: replies.popFirst()?.bytes
            }
    }
}

extension DeliveredJob {
    /// How long it stood in the queue.
    ///
    /// - Parameter now: since 1970, by Redis' clock.
    fileprivate func waited(until now: Duration?) -> Duration {
        // Its id begins with when it was added, in milliseconds.
        guard let now, let added = id.split(separator: "-").first.flatMap({ Int($0) }) else { return .zero }
        return max(.zero, now - .milliseconds(added))
    }
}
