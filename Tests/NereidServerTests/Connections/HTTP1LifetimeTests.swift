// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("The life of a connection of HTTP/1")
struct HTTP1LifetimeTests {
    private typealias Request = HTTP1Lifetime.Request

    private static let requests: [Request] = [false, true].flatMap { isHEAD in
        [false, true].flatMap { isHTTP10 in
            [false, true].map { Request(isHEAD: isHEAD, isHTTP10: isHTTP10, persists: $0, bodyBytes: 0) }
        }
    }

    private func life(after request: Request, isWhole: Bool = true) -> HTTP1Lifetime {
        var life = HTTP1Lifetime()
        life.headBegins()
        life.received(request)
        if isWhole { life.receivedEnd() }
        return life
    }

    @Test("waits for a request, for its head, for its body, and then gives an answer before it reads on")
    func course() {
        var life = HTTP1Lifetime()
        #expect((life.waiting, life.appetite) == (.request, .bytes(HTTP1Lifetime.portion)))
        #expect(life.isIdle)
        life.headBegins()
        #expect((life.waiting, life.appetite) == (.head, .bytes(HTTP1Lifetime.portion)))
        #expect(life.isIdle)
        life.received(Request(bodyBytes: 100))
        #expect((life.waiting, life.appetite) == (.body, .bytes(100)))
        #expect(!life.isIdle)
        life.receivedBody(60)
        #expect(life.appetite == .bytes(40))
        life.receivedBody(40)
        life.receivedEnd()
        #expect((life.waiting, life.appetite) == (.answer, .none))
        _ = life.answers(mayHaveBody: true, hasLength: true, closes: false)
        #expect((life.waiting, life.appetite) == (.answer, .none))
        #expect(life.answered() == .next)
        #expect((life.waiting, life.appetite) == (.request, .bytes(HTTP1Lifetime.portion)))
    }

    @Test("reads a body whose length is not known in portions")
    func chunkedBody() {
        let life = life(after: Request(bodyBytes: nil), isWhole: false)
        #expect(life.appetite == .bytes(HTTP1Lifetime.chunkedPortion))
    }

    @Test("frames every answer as its request's version and method want it, and says whether it is the last")
    func framing() {
        for request in Self.requests {
            for (mayHaveBody, hasLength, closes) in product {
                var life = life(after: request)
                let framing = life.answers(mayHaveBody: mayHaveBody, hasLength: hasLength, closes: closes)
                let hasBody = mayHaveBody && !request.isHEAD
                let isEndless = hasBody && !hasLength
                let ends = closes || !request.persists || isEndless && request.isHTTP10
                let expected = HTTP1Lifetime.Framing(
                    isHTTP10: request.isHTTP10,
                    isChunked: isEndless && !request.isHTTP10,
                    hasBody: hasBody,
                    connection: ends ? "close" : request.isHTTP10 ? "keep-alive" : nil
                )
                #expect(framing == expected, "\(request) \(mayHaveBody) \(hasLength) \(closes)")
                #expect(life.answered() == (ends ? .close : .next))
                #expect(life.waiting == (ends ? .end : .request))
                #expect(life.appetite == (ends ? .discard : .bytes(HTTP1Lifetime.portion)))
            }
        }
    }

    private var product: [(Bool, Bool, Bool)] {
        (0..<8).map { ($0 & 1 != 0, $0 & 2 != 0, $0 & 4 != 0) }
    }

    @Test("reads the rest of a request that is answered early if it is small, and closes if it is not")
    func earlyAnswer() {
        for (left, closes) in [
            (1, false), (HTTP1Lifetime.smallRest, false), (HTTP1Lifetime.smallRest + 1, true), (nil, true),
        ] as [(Int?, Bool)] {
            var life = life(after: Request(bodyBytes: left), isWhole: false)
            let framing = life.answers(mayHaveBody: true, hasLength: true, closes: false)
            #expect(framing.connection == (closes ? "close" : nil))
            #expect(life.answered() == (closes ? .close : .rest))
            guard !closes else { continue }
            #expect(life.waiting == .rest)
            #expect(life.appetite == .bytes(left ?? 0))
            life.receivedEnd()
            #expect(life.waiting == .request)
        }
    }

    @Test("gives the answers after the signal to end as the last, and keeps what was promised before")
    func quiescing() {
        var life = life(after: Request())
        // This answer's head has left already without a word of the end.
        _ = life.answers(mayHaveBody: true, hasLength: false, closes: false)
        life.quiesce()
        #expect(life.answered() == .next)
        #expect((life.waiting, life.isQuiescing) == (.request, true))
        life.received(Request())
        life.receivedEnd()
        #expect(life.answers(mayHaveBody: true, hasLength: true, closes: false).connection == "close")
        #expect(life.answered() == .close)
    }

    @Test("gives the answer to a client that has closed its side as the last")
    func closedInput() {
        var life = life(after: Request())
        life.inputClosed()
        #expect(life.answers(mayHaveBody: true, hasLength: true, closes: false).connection == "close")
        #expect(life.answered() == .close)
        // And when that comes to pass in the middle of an answer.
        life = self.life(after: Request())
        _ = life.answers(mayHaveBody: true, hasLength: true, closes: false)
        life.inputClosed()
        #expect(life.answered() == .close)
    }

    @Test("answers what is no HTTP, and ends")
    func garbage() {
        var life = HTTP1Lifetime()
        life.headBegins()
        life.receivedGarbage()
        #expect(life.appetite == .discard)
        #expect(life.answers(mayHaveBody: true, hasLength: true, closes: false).connection == "close")
        #expect(life.answered() == .close)
        // In a body, before its answer.
        life = self.life(after: Request(bodyBytes: nil), isWhole: false)
        life.receivedGarbage()
        #expect(life.answers(mayHaveBody: true, hasLength: true, closes: false).connection == "close")
        #expect(life.answered() == .close)
    }

    @Test("counts no more body than there is to come")
    func bodyBeyondLength() {
        var life = life(after: Request(bodyBytes: 3), isWhole: false)
        life.receivedBody(10)
        #expect(life.appetite == .bytes(1))
    }
}
