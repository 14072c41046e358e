// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("How many connections there may be")
struct ConnectionTableTests {
    private typealias Place = ConnectionTable.Place

    private let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    /// A table with a limit of two that are busy, and a reserve of two.
    private var full: ConnectionTable {
        var table = ConnectionTable(limit: 2, reserve: 2)
        for id in 1...2 {
            _ = table.open(id, at: start)
            _ = table.begin(id, at: start)
        }
        return table
    }

    @Test(
        "up to the limit they are ordinary; beyond it, where all have requests, reserved; beyond that there is no room"
    )
    func grades() {
        var table = full
        for id in 3...4 {
            #expect(table.open(id, at: at(5)) == Place(grade: .reserved))
            _ = table.begin(id, at: at(5))
            #expect(table.grade(of: id) == .reserved)
        }
        #expect(table.open(5, at: at(9)) == Place(grade: nil))
        #expect(table.counts == (2, 2))
        table.close(3, at: at(9))
        #expect(table.open(5, at: at(9)) == Place(grade: .reserved))
        table.close(1, at: at(9))
        #expect(table.open(6, at: at(9)) == Place(grade: .ordinary))
        #expect(table.counts == (2, 2))
    }

    @Test("a new one takes the place of the one that has been without a request for longest, a second at least")
    func eviction() {
        var table = ConnectionTable(limit: 2, reserve: 2)
        _ = table.open(1, at: start)
        _ = table.open(2, at: at(0.5))
        // Its client may just be sending its request.
        #expect(table.open(3, at: at(0.9)) == Place(grade: .reserved))
        #expect(table.open(4, at: at(2)) == Place(grade: .ordinary, evicted: 1))
        #expect(table.open(5, at: at(2)) == Place(grade: .ordinary, evicted: 2))
        // They count no more, though they may take a moment to close.
        #expect(table.counts == (2, 1))
        table.close(1, at: at(3))
        table.close(2, at: at(3))
        #expect(table.counts == (2, 1))
    }

    @Test("one with a request does not give way")
    func busy() {
        var table = full
        #expect(table.open(3, at: at(100)) == Place(grade: .reserved))
        table.rest(1, at: at(100))
        #expect(table.open(4, at: at(100.5)) == Place(grade: .reserved))
        #expect(table.open(5, at: at(101)) == Place(grade: .ordinary, evicted: 1))
    }

    @Test("among the reserved, the one without a request for longest gives way at once")
    func reservedEviction() {
        var table = full
        _ = table.open(3, at: at(1))
        _ = table.open(4, at: at(2))
        #expect(table.open(5, at: at(2)) == Place(grade: .reserved, evicted: 3))
        _ = table.begin(4, at: at(2))
        #expect(table.open(6, at: at(2.1)) == Place(grade: .reserved, evicted: 5))
        #expect(table.counts == (2, 2))
    }

    @Test("a reserved one becomes ordinary with a request for which there is room")
    func promotion() {
        var table = full
        _ = table.open(3, at: at(1))
        #expect(table.begin(3, at: at(1)) == Place(grade: .reserved))
        table.rest(3, at: at(1))
        table.close(2, at: at(2))
        #expect(table.begin(3, at: at(2)) == Place(grade: .ordinary))
        #expect(table.counts == (2, 0))
        table.rest(1, at: at(2))
        _ = table.open(4, at: at(2))
        #expect(table.begin(4, at: at(4)) == Place(grade: .ordinary, evicted: 1))
        #expect(table.counts == (2, 0))
    }

    @Test("a request that is faster than the news to give way is answered")
    func faster() {
        var table = ConnectionTable(limit: 1, reserve: 1)
        _ = table.open(1, at: start)
        #expect(table.open(2, at: at(2)) == Place(grade: .ordinary, evicted: 1))
        #expect(table.begin(1, at: at(2)) == Place(grade: .ordinary))
        // One more than the limit, until it is done.
        #expect(table.counts == (2, 0))
        table.close(1, at: at(3))
        table.close(2, at: at(3))
        #expect(table.counts == (0, 0))
    }

    @Test("whatever happens, the counts are those of the connections that are there")
    func anyCourse() {
        var random = SplitMix(seed: 7)
        var table = ConnectionTable(limit: 5, reserve: 3)
        var open: Set<Int> = []
        var leaving: Set<Int> = []
        for step in 0..<20_000 {
            let now = at(Double(step) * 0.1)
            func note(_ place: Place) {
                if let evicted = place.evicted { leaving.insert(evicted) }
            }
            switch random.next() % 4 {
            case 0:
                let place = table.open(step, at: now)
                note(place)
                if place.grade != nil { open.insert(step) }
            case 1:
                guard let id = open.sorted().randomElement(using: &random) else { continue }
                note(table.begin(id, at: now))
                leaving.remove(id)
            case 2:
                guard let id = open.sorted().randomElement(using: &random) else { continue }
                table.rest(id, at: now)
            default:
                guard let id = open.sorted().randomElement(using: &random) else { continue }
                table.close(id, at: now)
                open.remove(id)
                leaving.remove(id)
            }
            #expect(table.counts.ordinary + table.counts.reserved == open.subtracting(leaving).count)
            #expect(table.counts.ordinary >= 0 && table.counts.reserved >= 0)
        }
    }

    @Test("the time until there is room is that between requests that ended lately")
    func timeUntilRoom() {
        var table = full
        #expect(table.timeUntilRoom(at: start) == nil)
        _ = table.open(3, at: start)
        for second in 1...4 {
            table.rest(1, at: at(Double(second) * 3))
            _ = table.begin(1, at: at(Double(second) * 3))
        }
        #expect(table.timeUntilRoom(at: at(12)) == .seconds(3))
    }
}

/// Numbers that are the same each time (Steele, Lea, Flood: SplitMix64).
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
