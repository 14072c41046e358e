// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore
import NereidJobs

/// The answer to `GET /v1/jobs/{id}`: a job with a page of its results.
///
/// A page has a bounded number of results and of bytes. What is short is sent as a whole; the rest is sent as it is read, a piece
/// at a time, and no further than the client takes it.
struct JobResultsAnswer: Sendable {
    let page: JobResultPage
    let place: AnswerPlaces.Place
    /// When a page ends though more would fit: slow clients get less at a time.
    let deadline: ContinuousClock.Instant
    /// How long a client may take nothing.
    let patience: Duration

    /// A page ends with the result that brings it to so many bytes; the client asks on from `next`.
    static let pageBytes = 4 << 20

    /// - Parameters:
    ///   - sequence: the last result that the client has.
    ///   - limit: the most results.
    /// - Throws: what the store throws while nothing has been sent.
    func response(after sequence: Int, limit: Int) async throws -> Response {
        let document = JobDocument(page.job)
        let first =
            limit > 0 ? try await page.piece(after: sequence, limit: limit) : .init(results: [], isLast: true)
        let headers: HTTPFields = [.contentType: "application/json"]
        let count = first.results.count
        let next = first.results.last?.sequence ?? sequence
        let isWhole: Bool
        if first.isLast || count >= limit {
            isWhole = true
        } else {
            // Most jobs end here: one look shows whether anything follows.
            isWhole = first.byteCount < JobResultPage.pieceBytes && count < JobResultPage.pieceLimit
        }
        if isWhole {
            return Response(
                status: .ok,
                headers: headers,
                body: .init(byteBuffer: document.with(results: first.results.map(\.json), next: next))
            )
        }
        return Response(
            status: .ok,
            headers: headers,
            body: .init { writer in
                var writer = SteadyWriter(writer, channel: page.channel, patience: patience)
                try await write(document, beginningWith: first, limit: limit, to: &writer)
                try await writer.finish()
                // The place is taken until here, or until the body is thrown away.
                withExtendedLifetime(place) {}
            }
        )
    }

    private func write(
        _ document: JobDocument,
        beginningWith first: JobResultPage.Piece,
        limit: Int,
        to writer: inout SteadyWriter
    ) async throws {
        var (piece, next, count, bytes) = (first, 0, 0, 0)
        var text = document.beginning
        while true {
            for result in piece.results {
                if count > 0 { text.writeStaticString(",") }
                text.writeImmutableBuffer(result.json)
                (next, count, bytes) = (result.sequence, count + 1, bytes + result.json.readableBytes)
            }
            try await writer.write(text)
            text.clear()
            guard !piece.isLast, count < limit, bytes < Self.pageBytes, ContinuousClock.now < deadline else { break }
            piece = try await page.piece(
                after: next,
                limit: limit - count,
                bytes: min(JobResultPage.pieceBytes, Self.pageBytes - bytes)
            )
        }
        try await writer.write(document.ending(next: next))
    }
}
