// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore
import NereidJobs
import Synchronization

/// The stream of a job's results as they come, for clients that do not want to ask again and again.
///
/// It is written as fast as the client reads. It ends when the job is done or removed, when the client leaves, and at once when
/// the server is told to stop: the client then connects again, to a server that goes on.
struct JobEvents: Sendable {
    let store: any BulkJobStore
    let id: String
    let channel: any Channel
    let readiness: Readiness
    /// Streams that read results at one time; others wait for their turn.
    let reading: SendingPlaces
    /// How long a client may take nothing of what there is for it.
    let patience: Duration
    /// After so long without an event, a comment shows that the connection lives.
    let heartbeat: Duration

    /// How long clients wait before they connect again: about as long as a server takes to start.
    private static let retry = Duration.seconds(2)
    /// A client that does not read is cut off so long after the server was told to stop.
    private static let lastPatience = TimeAmount.seconds(1)

    /// The answer, whose body is the stream.
    ///
    /// - Parameter sequence: the last result that the client has; 0: none.
    func response(after sequence: Int) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-store",
                // nginx would keep events until a block of them is full.
                .accelBuffering: "no",
            ],
            body: .init { writer in
                let hasEnded = Flag()
                let number = readiness.stopping.whenItComes { [channel] in
                    // A write that waits for a client which does not read would hold up the server's end.
                    channel.eventLoop.scheduleTask(in: Self.lastPatience) {
                        if !hasEnded.isSet { channel.close(promise: nil) }
                    }
                }
                defer {
                    hasEnded.set()
                    readiness.stopping.forget(number)
                }
                var steady = SteadyWriter(writer, channel: channel, patience: patience)
                try await write(to: &steady, after: sequence)
                try await steady.finish()
            }
        )
    }

    private func write(to writer: inout SteadyWriter, after last: Int) async throws {
        var sequence = last
        try await writer.write(ServerSentEvent.retry(after: Self.retry))
        var quietUntil = ContinuousClock.now + heartbeat
        do {
            while !readiness.stopping.hasCome {
                // The job before its results: one that was done then has no more of them than are read now.
                guard let job = try await store.job(id) else {
                    let problem = Problem(BulkError.notFound(id: id)).body
                    try await writer.write(ServerSentEvent(event: "gone", data: ByteBuffer(json: problem)).text)
                    return
                }
                let begun = sequence
                try await writeResults(of: job, after: &sequence, to: &writer)
                if readiness.stopping.hasCome { return }
                if job.state == .done {
                    let done = ByteBuffer(json: JobDocument(job))
                    try await writer.write(ServerSentEvent(id: sequence, event: "done", data: done).text)
                    return
                }
                if sequence > begun {
                    quietUntil = .now + heartbeat
                } else if ContinuousClock.now >= quietUntil {
                    try await writer.write(ServerSentEvent.comment)
                    quietUntil = .now + heartbeat
                }
                try await waitForChange(after: sequence, until: quietUntil)
            }
        } catch is CancellationError {
            // The client has left, or the server is told to stop.
        } catch is BulkError {
            // The head was sent long ago. A stream that ends early is asked for again, and that is answered with the reason.
        }
    }

    private func writeResults(
        of job: BulkJob,
        after sequence: inout Int,
        to writer: inout SteadyWriter
    ) async throws {
        let page = JobResultPage(store: store, job: job, channel: channel)
        while !readiness.stopping.hasCome {
            let (after, reading) = (sequence, reading)
            // Read in turn, sent without holding up others.
            let piece = try await reading.hold { try await page.piece(after: after, limit: JobResultPage.pieceLimit) }
            for result in piece.results {
                try await writer.write(ServerSentEvent(id: result.sequence, event: "result", data: result.json).text)
                sequence = result.sequence
            }
            if piece.isLast { return }
            if piece.byteCount < JobResultPage.pieceBytes, piece.results.count < JobResultPage.pieceLimit { return }
        }
    }

    private func waitForChange(after sequence: Int, until deadline: ContinuousClock.Instant) async throws {
        let (store, id, readiness) = (store, id, readiness)
        try await channel.untilClientLeaves {
            try await readiness.stopping.cancels {
                try await store.waitForChange(of: id, after: sequence, until: deadline)
            }
        }
    }

    /// Whether the stream has come to its end by itself.
    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }
}

extension HTTPField.Name {
    /// Whether nginx may gather the answer before it passes it on.
    fileprivate static let accelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
