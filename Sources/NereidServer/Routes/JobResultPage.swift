// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird
import NIOCore
import NIOPosix
import NereidJobs

/// Reads a job's results in pieces of bounded size, as the JSON that is sent.
struct JobResultPage: Sendable {
    let store: any BulkJobStore
    let job: BulkJob
    let channel: any Channel

    /// A piece ends with the result that brings it to so many bytes. So much of each answer is in memory at a time.
    static let pieceBytes = 128 << 10
    /// Results in one piece.
    static let pieceLimit = 1000

    struct Piece: Sendable {
        /// Each a JSON object.
        var results: [(sequence: Int, json: ByteBuffer)]
        /// Whether there are no more at this moment.
        var isLast: Bool
        var byteCount: Int { results.reduce(0) { $0 + $1.json.readableBytes } }
    }

    /// The results that follow one. When the client leaves the reading ends.
    ///
    /// - Throws: `CancellationError` when the client has left; what the store throws.
    func piece(after sequence: Int, limit: Int, bytes: Int = pieceBytes) async throws -> Piece {
        let (store, job) = (store, job)
        let most = min(limit, Self.pieceLimit)
        return try await channel.untilClientLeaves {
            let found = try await store.results(of: job.id, after: sequence, limit: most, bytes: bytes)
            try Task.checkCancellation()
            let results = try await Self.encoded(found, of: job)
            return Piece(results: results, isLast: found.isEmpty)
        }
    }

    /// What is kept as it is sent costs nothing; the borders of masks take time, on threads that may be held up.
    private static func encoded(
        _ results: [BulkResult],
        of job: BulkJob
    ) async throws -> [(sequence: Int, json: ByteBuffer)] {
        let encode = { @Sendable in results.map { (sequence: $0.sequence, json: JobResultDocument.json(of: $0, job)) } }
        let isReady = results.allSatisfy { if case .document = $0.content { true } else { false } }
        return isReady ? encode() : try await NIOThreadPool.singleton.runIfActive(encode)
    }
}

/// Sends pieces of an answer, and closes the connection of a client that takes none of one for too long.
struct SteadyWriter {
    private var writer: any ResponseBodyWriter
    private let channel: any Channel
    /// How long the client may take for one slice.
    private let patience: TimeAmount

    private static let sliceBytes = 64 << 10

    init(_ writer: any ResponseBodyWriter, channel: any Channel, patience: Duration) {
        (self.writer, self.channel, self.patience) = (writer, channel, TimeAmount(patience))
    }

    mutating func write(_ bytes: ByteBuffer) async throws {
        var rest = bytes
        while rest.readableBytes > 0, let slice = rest.readSlice(length: min(rest.readableBytes, Self.sliceBytes)) {
            let alarm = channel.eventLoop.scheduleTask(in: patience) { [channel] in channel.close(promise: nil) }
            defer { alarm.cancel() }
            try await writer.write(slice)
        }
    }

    mutating func finish() async throws {
        try await writer.finish(nil)
    }
}
