// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import TestSupport
import Testing

@testable import NereidImaging

@Suite("Schedule of imaging")
struct ImagingScheduleTests {
    typealias Schedule = ImagingSchedule<String>

    /// Adds work named by its number.
    static func add(
        _ number: UInt64,
        _ share: String,
        isLarge: Bool = false,
        bytes: Int = 0,
        to schedule: inout Schedule
    ) -> [String] {
        schedule.add(number, .init(share: share, isLarge: isLarge, bytes: bytes), "\(number)") ?? ["closed"]
    }

    @Test("runs as much as there are threads for, and the rest in the order in which it came")
    func threads() {
        var schedule = Schedule(threads: 2, memory: 100)
        #expect((1...4).map { Self.add($0, "a", to: &schedule) } == [["1"], ["2"], [], []])
        #expect((schedule.runningCount, schedule.waitingCount) == (2, 2))
        #expect(schedule.finish(2) == ["3"])
        #expect(schedule.finish(1) == ["4"])
        #expect(schedule.finish(3).isEmpty)
        #expect(schedule.finish(4).isEmpty)
        #expect(schedule.isIdle)
    }

    @Test("lets shares take turns, however much one of them has waiting")
    func turns() {
        var schedule = Schedule(threads: 1, memory: 100)
        #expect(Self.add(1, "a", to: &schedule) == ["1"])
        for number in UInt64(2)...5 { #expect(Self.add(number, "a", to: &schedule).isEmpty) }
        #expect(Self.add(6, "b", to: &schedule).isEmpty)
        #expect(Self.add(7, "b", to: &schedule).isEmpty)
        #expect(Self.add(8, "c", to: &schedule).isEmpty)
        var order: [String] = []
        var running: UInt64? = 1
        while let number = running {
            let begun = schedule.finish(number)
            order += begun
            running = begun.first.flatMap { UInt64($0) }
        }
        #expect(order == ["2", "6", "8", "3", "7", "4", "5"])
    }

    @Test("gives large pictures at most half of the threads", arguments: [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4)])
    func large(threads: Int, most: Int) {
        var schedule = Schedule(threads: threads, memory: 1 << 20)
        #expect(schedule.mostLarge == most)
        let begun = (1...8).flatMap { Self.add($0, "share \($0)", isLarge: true, bytes: 1, to: &schedule) }
        #expect(begun.count == most)
        // The other threads are there for what is small, of the same share too.
        let small = (9...20).flatMap { Self.add($0, "share 1", to: &schedule) }
        #expect(small.count == threads - most)
    }

    @Test("lets no large picture go before one that waits for more memory")
    func largestIsNotStarved() {
        var schedule = Schedule(threads: 8, memory: 16)
        #expect(Self.add(1, "a", isLarge: true, bytes: 6, to: &schedule) == ["1"])
        #expect(Self.add(2, "b", isLarge: true, bytes: 12, to: &schedule).isEmpty)
        #expect(Self.add(3, "c", isLarge: true, bytes: 2, to: &schedule).isEmpty)
        #expect(schedule.finish(1).isEmpty)
        #expect(schedule.giveBack(6, isLarge: true) == ["2"])
        #expect(schedule.finish(2).isEmpty)
        #expect(schedule.giveBack(12, isLarge: true) == ["3"])
    }

    @Test("never has work without a claim on memory wait behind work that waits for it")
    func plainWorkGoesOn() {
        var schedule = Schedule(threads: 2, memory: 16)
        #expect(Self.add(1, "a", isLarge: true, bytes: 12, to: &schedule) == ["1"])
        #expect(schedule.finish(1).isEmpty)
        #expect(Self.add(2, "a", bytes: 4, to: &schedule) == ["2"])
        #expect(schedule.finish(2).isEmpty)
        // Memory is full of decoded pictures. What reads their masks is what gives it back.
        #expect(Self.add(3, "a", bytes: 1, to: &schedule).isEmpty)
        #expect(Self.add(4, "a", isLarge: true, bytes: 1, to: &schedule).isEmpty)
        #expect(Self.add(5, "a", to: &schedule) == ["5"])
        #expect(schedule.finish(5).isEmpty)
        #expect(schedule.giveBack(4, isLarge: false) == ["3"])
    }

    @Test("lets running work take what is free, but not before others that wait for it")
    func extending() {
        var schedule = Schedule(threads: 4, memory: 16)
        for number in UInt64(1)...4 { #expect(Self.add(number, "a", to: &schedule) == ["\(number)"]) }
        #expect(schedule.extend(1, isLarge: false, bytes: 1) == true)
        #expect(schedule.extend(2, isLarge: true, bytes: 8) == true)
        #expect(schedule.budget.used == 9)
        // Twice, unknown, or more than there is.
        #expect(schedule.extend(1, isLarge: false, bytes: 1) == false)
        #expect(schedule.extend(9, isLarge: false, bytes: 1) == false)
        #expect(schedule.extend(3, isLarge: true, bytes: 5) == false)
        #expect(Self.add(5, "b", isLarge: true, bytes: 4, to: &schedule).isEmpty)
        #expect(schedule.extend(3, isLarge: true, bytes: 1) == false)
        // While a large picture waits, small ones keep to their reserve.
        #expect(schedule.extend(3, isLarge: false, bytes: 4) == false)
        #expect(schedule.extend(3, isLarge: false, bytes: 3) == true)
        #expect(schedule.finish(2) == ["5"])
    }

    @Test("forgets work that nobody waits for, which may let other work begin")
    func withdrawal() {
        var schedule = Schedule(threads: 2, memory: 16)
        #expect(Self.add(1, "a", bytes: 8, to: &schedule) == ["1"])
        #expect(Self.add(2, "a", isLarge: true, bytes: 12, to: &schedule).isEmpty)
        #expect(Self.add(3, "a", bytes: 6, to: &schedule).isEmpty)
        let (withdrawn, begun) = schedule.withdraw(2)
        #expect((withdrawn, begun) == ("2", ["3"]))
        #expect(schedule.withdraw(1).withdrawn == nil)
        #expect(schedule.withdraw(7).withdrawn == nil)
    }

    @Test("takes nothing more once it is closed")
    func closing() {
        var schedule = Schedule(threads: 1, memory: 16)
        #expect(Self.add(1, "a", to: &schedule) == ["1"])
        #expect(Self.add(2, "a", to: &schedule).isEmpty)
        #expect(schedule.close() == ["2"])
        #expect(schedule.runningWorks == ["1"])
        #expect(Self.add(3, "a", to: &schedule) == ["closed"])
        #expect(schedule.finish(1).isEmpty)
    }

    @Test("keeps every bound and forgets no work, whatever comes", arguments: 1...20)
    func anything(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let (threads, memory) = (Int.random(in: 1...5, using: &generator), 64)
        var schedule = Schedule(threads: threads, memory: memory)
        var claims: [UInt64: Schedule.Claim] = [:]
        var running: Set<UInt64> = []
        var held: [(bytes: Int, isLarge: Bool)] = []
        var ended = 0
        func begin(_ works: [String]) {
            for number in works.compactMap({ UInt64($0) }) { running.insert(number) }
        }
        func step(_ event: Int, _ number: UInt64) {
            switch event {
            case 0:
                let isLarge = Bool.random(using: &generator)
                let bytes = Int.random(in: isLarge ? 5...48 : 0...4, using: &generator)
                claims[number] = .init(
                    share: "\(Int.random(in: 0...3, using: &generator))",
                    isLarge: isLarge,
                    bytes: bytes
                )
                begin(schedule.add(number, claims[number]!, "\(number)")!)
            case 1:
                guard let number = running.sorted().randomElement(using: &generator) else { break }
                running.remove(number)
                ended += 1
                held.append((claims[number]!.bytes, claims[number]!.isLarge))
                begin(schedule.finish(number))
            default:
                guard !held.isEmpty else { break }
                let given = held.remove(at: Int.random(in: held.indices, using: &generator))
                begin(schedule.giveBack(given.bytes, isLarge: given.isLarge))
            }
            #expect(running.count == schedule.runningCount && running.count <= threads)
            #expect(running.count { claims[$0]!.isLarge } <= schedule.mostLarge)
            #expect(schedule.budget.used <= memory && schedule.budget.large <= schedule.budget.most)
            let sum = running.reduce(0) { $0 + claims[$1]!.bytes } + held.reduce(0) { $0 + $1.bytes }
            #expect(schedule.budget.used == sum)
        }
        for number in UInt64(1)...300 { step(Int.random(in: 0...2, using: &generator), number) }
        // Once everything that runs ends and gives its memory back, nothing is left.
        for _ in 0..<2000 where !schedule.isIdle {
            step(1, 0)
            step(2, 0)
        }
        #expect(schedule.isIdle)
        #expect(ended == claims.count)
    }
}
