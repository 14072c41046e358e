// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidJobs

@Suite("How fast work is done")
struct CompletionRateTests {
    private let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test("is not known before something is done")
    func unknown() {
        var rate = CompletionRate()
        #expect(rate.interval(at: start) == nil)
        rate.begins(at: start)
        #expect(rate.time(for: 3, at: at(100)) == nil)
        rate.completed(0, at: at(1))
        #expect(rate.interval(at: at(1)) == nil)
    }

    @Test("is the mean time between completions, since work began")
    func mean() {
        var rate = CompletionRate()
        rate.begins(at: start)
        rate.completed(at: at(1))
        rate.completed(at: at(4))
        #expect(rate.interval(at: at(4)) == .seconds(2))
        #expect(rate.time(for: 5, at: at(4)) == .seconds(10))
        #expect(rate.time(for: 0, at: at(4)) == .seconds(2), "room takes one at least")
    }

    @Test("counts several that are done at one time")
    func batch() {
        var rate = CompletionRate()
        rate.begins(at: start)
        rate.completed(4, at: at(2))
        #expect(rate.interval(at: at(2)) == .milliseconds(500))
    }

    @Test("does not count pauses")
    func pauses() {
        var rate = CompletionRate()
        rate.begins(at: start)
        rate.completed(at: at(1))
        rate.pauses()
        #expect(rate.interval(at: at(3600)) == .seconds(1))
        rate.begins(at: at(3600))
        // Others that begin beside it change nothing.
        rate.begins(at: at(3602))
        rate.completed(at: at(3603))
        #expect(rate.interval(at: at(3603)) == .seconds(2))
    }

    @Test("slows down while something takes longer than usual")
    func stall() {
        var rate = CompletionRate()
        rate.begins(at: start)
        for second in 1...4 { rate.completed(at: at(Double(second))) }
        #expect(rate.interval(at: at(4.5)) == .seconds(1))
        #expect(rate.interval(at: at(20)) == .seconds(4))
    }

    @Test("forgets what was long ago")
    func window() {
        var rate = CompletionRate()
        rate.begins(at: start)
        rate.completed(at: at(1000))
        for second in 1...32 { rate.completed(at: at(1000 + Double(second))) }
        #expect(rate.interval(at: at(1032)) == .seconds(1))
        rate.completed(1_000_000, at: at(1132))
        #expect((rate.interval(at: at(1132)) ?? .seconds(9)) < .milliseconds(1))
    }

    @Test("of one gateway is told from its own jobs, and refusals do not count")
    func ownPace() {
        var pace = OwnPace()
        for _ in 0..<9 { pace.begins(at: start) }
        #expect(pace.timeUntilRoom(at: start) == nil)
        pace.ends(isDone: false, at: at(0.1))
        pace.ends(isDone: true, at: at(2))
        // Half of the seven that are left.
        #expect(pace.timeUntilRoom(at: at(2)) == .seconds(8))
        for _ in 0..<7 { pace.ends(isDone: true, at: at(4)) }
        #expect(pace.timeUntilRoom(at: at(1000)) == .milliseconds(500))
    }
}
