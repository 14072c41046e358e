// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("The life of a connection of HTTP/2")
struct HTTP2LifetimeTests {
    @Test("goes on while streams come, and idles between them")
    func streams() {
        var life = HTTP2Lifetime()
        life.opened(1)
        life.opened(3)
        #expect(life.closed() == .nothing)
        #expect(life.closed() == .awaitStreams)
        life.opened(5)
        #expect(life.idled() == .nothing)
        #expect(life.closed() == .awaitStreams)
    }

    @Test("ends when it idles: a warning, the last stream, and the end")
    func idle() {
        var life = HTTP2Lifetime()
        life.opened(7)
        #expect(life.closed() == .awaitStreams)
        #expect(life.idled() == .warn)
        #expect(life.warned() == .refuse(after: 7, closes: true))
    }

    @Test("ends when it is told to, after its streams")
    func told() {
        var life = HTTP2Lifetime()
        life.opened(1)
        #expect(life.end() == .warn)
        // The client did not know yet.
        life.opened(3)
        #expect(life.closed() == .nothing)
        #expect(life.warned() == .refuse(after: 3, closes: false))
        #expect(life.closed() == .close)
    }

    @Test("does not end between warning and answer, though no stream is open")
    func quietAfterWarning() {
        var life = HTTP2Lifetime()
        life.opened(1)
        #expect(life.end() == .warn)
        #expect(life.closed() == .nothing)
        #expect(life.warned() == .refuse(after: 1, closes: true))
    }

    @Test("ends once, however often it is told to")
    func twice() {
        var life = HTTP2Lifetime()
        #expect(life.warned() == .nothing)
        #expect(life.end() == .warn)
        #expect(life.end() == .nothing)
        #expect(life.idled() == .nothing)
        #expect(life.warned() == .refuse(after: 0, closes: true))
        #expect(life.warned() == .nothing)
        #expect(life.end() == .nothing)
    }
}
