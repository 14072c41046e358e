// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The rules of a connection of HTTP/1, as a value: what may be read, how answers are framed, and when the connection ends.
///
/// One request is worked on at a time. While it is, no more is read than its own body, so that a client that pipelines requests
/// and does not read the answers is held up by TCP, and not by the server's memory.
struct HTTP1Lifetime: Equatable {
    /// What a request's head says.
    struct Request: Equatable {
        var isHEAD = false
        var isHTTP10 = false
        /// Whether the client would keep the connection.
        var persists = true
        /// Bytes of its body; `nil`: it ends when its last chunk says so.
        var bodyBytes: Int? = 0
    }

    /// How many of the bytes that have come may be read now.
    enum Appetite: Equatable {
        /// None: an answer is to be given first.
        case none
        /// So many at the most.
        case bytes(Int)
        /// All, only to be forgotten.
        case discard
    }

    /// Whom the connection waits for.
    enum Waiting: Equatable {
        /// The client, for a request.
        case request
        /// The client, for the rest of a request's head.
        case head
        /// The client, for more of a request's body.
        case body
        /// The client, for the rest of a request that is answered already.
        case rest
        /// The server, for an answer; or the client, to read it.
        case answer
        /// The client, to close.
        case end
    }

    /// How an answer is sent.
    struct Framing: Equatable {
        var isHTTP10 = false
        /// Whether the body goes in chunks.
        var isChunked = false
        /// Whether bytes of a body are sent at all.
        var hasBody = true
        /// The value of `Connection`; `nil`: the field is left out.
        var connection: String?
    }

    /// What follows an answer.
    enum Sequel: Equatable {
        /// The next request.
        case next
        /// The rest of this request.
        case rest
        /// The end, as soon as the answer is sent.
        case close
    }

    /// Bytes that are parsed at a time where they may hold requests: what is parsed takes more memory than what is not.
    static let portion = 4 << 10
    /// The same within a body in chunks, whose end shows only when it is parsed.
    static let chunkedPortion = 16 << 10
    /// The rest of a request that is read, so that the connection lives on, when its answer comes before its end.
    static let smallRest = 64 << 10

    private enum Input: Equatable {
        case idle
        case head
        case body(left: Int?)
        case complete
        case broken
    }

    private enum Answer: Equatable {
        case none
        case awaited(Request)
        case begun(Request, closes: Bool)
    }

    private var input = Input.idle
    private var answer = Answer.none
    /// Whether the server stops, so that the connection is to end.
    private(set) var isQuiescing = false
    private var inputIsClosed = false
    private var hasEnded = false

    /// How many bytes may be read now.
    var appetite: Appetite {
        if hasEnded { return .discard }
        switch input {
        case .idle, .head: return .bytes(Self.portion)
        case .body(left: let left?): return .bytes(max(left, 1))
        case .body(left: nil): return .bytes(Self.chunkedPortion)
        case .complete: return .none
        case .broken: return .discard
        }
    }

    /// Whom the connection waits for.
    var waiting: Waiting {
        if hasEnded { return .end }
        switch (input, answer) {
        case (.idle, _): return .request
        case (.head, _): return .head
        case (.body, .none): return .rest
        case (.body, _): return .body
        case (.complete, _), (.broken, _): return .answer
        }
    }

    /// Whether no request is being worked on, so that the connection may be closed (RFC 9112, 9.5).
    var isIdle: Bool { input == .idle || input == .head }

    /// Bytes of a head have come.
    mutating func headBegins() {
        if input == .idle { input = .head }
    }

    /// A request's head has come.
    mutating func received(_ request: Request) {
        input = .body(left: request.bodyBytes)
        answer = .awaited(request)
    }

    /// Bytes of its body have come.
    mutating func receivedBody(_ count: Int) {
        if case .body(left: let left?) = input { input = .body(left: max(0, left - count)) }
    }

    /// Its end has come.
    mutating func receivedEnd() {
        input = answer == .none ? .idle : .complete
    }

    /// What came is no HTTP.
    mutating func receivedGarbage() { input = .broken }

    /// The client sends no more.
    mutating func inputClosed() { inputIsClosed = true }

    /// The server stops: answers are the last on their connection.
    mutating func quiesce() { isQuiescing = true }

    /// An answer begins.
    ///
    /// - Parameters:
    ///   - mayHaveBody: whether its status allows for a body.
    ///   - hasLength: whether it has a `Content-Length`.
    ///   - closes: whether the connection is to end for a reason of the server's.
    mutating func answers(mayHaveBody: Bool, hasLength: Bool, closes: Bool) -> Framing {
        let request: Request
        // What is no HTTP is answered though there is no request.
        if case .awaited(let awaited) = answer { request = awaited } else { request = Request(persists: false) }
        let hasBody = mayHaveBody && !request.isHEAD
        let endsByClosing = hasBody && !hasLength && request.isHTTP10
        let ends = closes || isQuiescing || inputIsClosed || !request.persists || endsByClosing || restIsLarge
        answer = .begun(request, closes: ends)
        return Framing(
            isHTTP10: request.isHTTP10,
            isChunked: hasBody && !hasLength && !request.isHTTP10,
            hasBody: hasBody,
            connection: ends ? "close" : request.isHTTP10 ? "keep-alive" : nil
        )
    }

    private var restIsLarge: Bool {
        switch input {
        case .body(let left): left.map { $0 > Self.smallRest } ?? true
        case .broken: true
        default: false
        }
    }

    /// An answer has ended.
    mutating func answered() -> Sequel {
        guard case .begun(_, let closes) = answer else { return .next }
        answer = .none
        if closes || inputIsClosed || input == .broken {
            hasEnded = true
            return .close
        }
        if input == .complete {
            input = .idle
            return .next
        }
        return .rest
    }
}
