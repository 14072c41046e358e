// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("The life of a connection of HTTP/2")
struct HTTP2LifetimeTests {
    @Test("goes on while streams come, and idles between them")
    func streams() {
        var life = HTTP2Lifetime()
        #expect(life.isIdle)
        #expect(life.opened(1) == .nothing)
        #expect(life.opened(3) == .nothing)
        #expect(!life.isIdle)
        #expect(life.closed() == .nothing)
        #expect(life.closed() == .awaitStreams)
        #expect(life.isIdle)
        #expect(life.opened(5) == .nothing)
        #expect(life.idled() == .nothing)
        #expect(life.closed() == .awaitStreams)
    }

    @Test("ends when it idles: a warning, the last stream, and the end")
    func idle() {
        var life = HTTP2Lifetime()
        #expect(life.opened(7) == .nothing)
        #expect(life.closed() == .awaitStreams)
        #expect(life.idled() == .warn)
        #expect(life.warned() == .refuse(after: 7, closes: true))
    }

    @Test("ends when it is told to, after its streams")
    func told() {
        var life = HTTP2Lifetime()
        #expect(life.opened(1) == .nothing)
        #expect(life.end() == .warn)
        // The client did not know yet.
        #expect(life.opened(3) == .nothing)
        #expect(life.closed() == .nothing)
        #expect(life.warned() == .refuse(after: 3, closes: false))
        #expect(life.closed() == .close)
    }

    @Test("does not end between warning and answer, though no stream is open")
    func quietAfterWarning() {
        var life = HTTP2Lifetime()
        #expect(life.opened(1) == .nothing)
        #expect(life.end() == .warn)
        #expect(life.closed() == .nothing)
        #expect(life.warned() == .refuse(after: 1, closes: true))
    }

    @Test("ends at the signal to stop if it has had a stream, else with its first one, else with the listener")
    func stop() {
        var used = HTTP2Lifetime()
        #expect(used.opened(1) == .nothing)
        #expect(used.closed() == .awaitStreams)
        #expect(used.stop() == .warn)
        #expect(used.end() == .nothing)
        #expect(used.warned() == .refuse(after: 1, closes: true))

        var fresh = HTTP2Lifetime()
        #expect(fresh.stop() == .nothing)
        #expect(fresh.opened(1) == .warn)
        #expect(fresh.opened(3) == .nothing)
        #expect(fresh.warned() == .refuse(after: 3, closes: false))
        #expect(fresh.closed() == .nothing)
        #expect(fresh.closed() == .close)

        var unused = HTTP2Lifetime()
        #expect(unused.stop() == .nothing)
        #expect(unused.end() == .warn)
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
