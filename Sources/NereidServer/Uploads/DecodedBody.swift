// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird
import NIOCore

/// A request's body as its client meant it: decoded while it comes, where it is encoded as a whole.
///
/// Nothing is decoded ahead: a consumer that stops at its limit has seen one piece more than that.
struct DecodedBody: AsyncSequence {
    typealias Element = ByteBuffer

    private let body: RequestBody
    private let coding: ContentCoding?
    private let encodedLimit: Int

    /// Whether `Content-Length` counts other bytes than those that come.
    var isEncoded: Bool { coding != nil }

    /// Reads what the request's head says of its body.
    ///
    /// - Parameter encodedLimit: the most bytes of an encoded body, which may give no bytes at all.
    /// - Throws: ``ContentCodingError/unsupported(_:)``.
    init(of request: Request, encodedLimit: Int) throws(ContentCodingError) {
        coding = try ContentCoding(request.headers)
        body = request.body
        self.encodedLimit = encodedLimit
    }

    func makeAsyncIterator() -> Iterator {
        Iterator(source: body.makeAsyncIterator(), inflater: coding.map(Inflater.init), encodedLimit: encodedLimit)
    }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate var source: RequestBody.AsyncIterator
        fileprivate let inflater: Inflater?
        fileprivate let encodedLimit: Int
        private var encodedBytes = 0
        private var hasEnded = false

        fileprivate init(source: RequestBody.AsyncIterator, inflater: Inflater?, encodedLimit: Int) {
            self.source = source
            self.inflater = inflater
            self.encodedLimit = encodedLimit
        }

        mutating func next() async throws -> ByteBuffer? {
            guard let inflater else { return try await source.next() }
            while !hasEnded {
                if let piece = try inflater.next() {
                    // Long data are decoded in many short turns, so that other requests come in between.
                    await Task.yield()
                    try Task.checkCancellation()
                    return piece
                }
                guard let chunk = try await source.next() else {
                    hasEnded = true
                    if encodedBytes > 0 { try inflater.finish() }
                    return nil
                }
                encodedBytes += chunk.readableBytes
                guard encodedBytes <= encodedLimit else { throw UploadError.bodyTooLarge(limit: encodedLimit) }
                inflater.take(chunk)
            }
            return nil
        }
    }
}
