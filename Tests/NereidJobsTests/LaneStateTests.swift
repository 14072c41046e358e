// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidJobs

@Suite("The rules of a waiting line")
struct LaneStateTests {
    struct Ticket: LaneTicket, Equatable {
        let number: UInt64
        var byteCount = 1
        var version = 1

        func batchesWith(_ other: Ticket) -> Bool { version == other.version }
    }

    static func lane(jobs: Int = 64, bytes: Int = 1000) -> LaneState<Ticket> {
        LaneState(limits: QueueLimits(jobs: jobs, bytes: bytes))
    }

    /// Takes one job at a time.
    static func takeOne(_ lane: inout LaneState<Ticket>) -> UInt64? { lane.take { _ in 1 }.first?.number }

    @Test("as many wait as may, besides those that workers have begun with", arguments: 0...3)
    func jobLimit(limit: Int) {
        var lane = Self.lane(jobs: limit)
        #expect(lane.admit(Ticket(number: 0), mostWorkers: 1) == .begins)
        for number in 0..<limit {
            #expect(lane.admit(Ticket(number: UInt64(number + 1)), mostWorkers: 1) == .waits)
        }
        #expect(lane.admit(Ticket(number: 99), mostWorkers: 1) == .tooManyJobs)
        #expect(lane.load == QueueLoad(waiting: limit, waitingBytes: limit, running: 1))
        // Another worker may come for it, whoever else waits.
        #expect(lane.admit(Ticket(number: 99), mostWorkers: 2) == .begins)
        #expect(lane.admit(Ticket(number: 100), mostWorkers: 2) == .tooManyJobs)
    }

    @Test("bytes are limited too, but one picture may always wait")
    func byteLimit() {
        var lane = Self.lane(bytes: 100)
        #expect(lane.admit(Ticket(number: 1, byteCount: 500), mostWorkers: 1) == .begins)
        #expect(lane.admit(Ticket(number: 2, byteCount: 500), mostWorkers: 1) == .waits)
        #expect(lane.admit(Ticket(number: 3, byteCount: 1), mostWorkers: 1) == .tooManyBytes)
        #expect(Self.takeOne(&lane) == 2)
        #expect(lane.admit(Ticket(number: 4, byteCount: 60), mostWorkers: 1) == .waits)
        #expect(lane.admit(Ticket(number: 5, byteCount: 40), mostWorkers: 1) == .waits)
        #expect(lane.admit(Ticket(number: 6, byteCount: 1), mostWorkers: 1) == .tooManyBytes)
        #expect(lane.load == QueueLoad(waiting: 2, waitingBytes: 100, running: 2))
    }

    @Test("workers begin until there are enough, and again after they have gone")
    func workers() {
        var lane = Self.lane()
        #expect((0..<4).map { lane.admit(Ticket(number: $0), mostWorkers: 2) } == [.begins, .begins, .waits, .waits])
        while Self.takeOne(&lane) != nil {}
        // One worker has found nothing and gone; the other still works.
        #expect(lane.admit(Ticket(number: 5), mostWorkers: 2) == .begins)
        #expect(lane.admit(Ticket(number: 6), mostWorkers: 2) == .waits)
    }

    @Test("a refused job leaves no trace")
    func refusal() {
        var lane = Self.lane(jobs: 0)
        #expect(lane.admit(Ticket(number: 1), mostWorkers: 1) == .begins)
        #expect(lane.admit(Ticket(number: 2), mostWorkers: 1) == .tooManyJobs)
        #expect(Self.word(lane.withdraw(2)) == "unknown")
        lane.finish(1)
        #expect(Self.takeOne(&lane) == nil)
        #expect(lane.isIdle)
    }

    @Test("jobs leave in the order in which they came, in batches of one version")
    func batches() {
        var lane = Self.lane()
        for (number, version) in [9, 1, 1, 2, 1, 1, 1, 1].enumerated() {
            _ = lane.admit(Ticket(number: UInt64(number), version: version), mostWorkers: 1)
        }
        func take() -> [UInt64] { lane.take { _ in 3 }.map(\.number) }
        #expect([take(), take(), take(), take(), take()] == [[1, 2], [3], [4, 5, 6], [7], []])
        #expect(lane.load == QueueLoad(waiting: 0, waitingBytes: 0, running: 8))
    }

    static let batchSizes = [(-1, 1), (0, 1), (1, 1), (2, 2), (9, 2)]

    @Test("a batch holds one job at least, and at most what its first job's model takes", arguments: batchSizes)
    func batchSize(most: Int, expected: Int) {
        var lane = Self.lane()
        for number in 0..<3 { _ = lane.admit(Ticket(number: UInt64(number), version: 7), mostWorkers: 1) }
        var asked: [Int] = []
        let taken = lane.take { ticket in
            asked.append(ticket.version)
            return most
        }
        #expect(taken.count == expected)
        #expect(asked == [7])
    }

    @Test("a job can be withdrawn while it waits, is known while it runs, and unknown before and after")
    func withdrawal() {
        var lane = Self.lane()
        #expect(Self.word(lane.withdraw(1)) == "unknown")
        for number in 1...4 { _ = lane.admit(Ticket(number: UInt64(number), byteCount: number), mostWorkers: 1) }
        #expect(Self.word(lane.withdraw(1)) == "running")
        #expect(Self.word(lane.withdraw(3)) == "removed 3")
        #expect(Self.word(lane.withdraw(3)) == "unknown")
        #expect(lane.load == QueueLoad(waiting: 2, waitingBytes: 6, running: 1))
        #expect(Self.takeOne(&lane) == 2)
        #expect(Self.word(lane.withdraw(2)) == "running")
        lane.finish(2)
        #expect(Self.word(lane.withdraw(2)) == "unknown")
        #expect(Self.takeOne(&lane) == 4)
    }

    @Test("a line is idle when nobody waits and its workers have gone")
    func idle() {
        var lane = Self.lane()
        #expect(lane.isIdle)
        for number: UInt64 in 1...2 { _ = lane.admit(Ticket(number: number), mostWorkers: 1) }
        _ = lane.withdraw(2)
        lane.finish(1)
        #expect(!lane.isIdle, "the worker may still find something")
        #expect(Self.takeOne(&lane) == nil)
        #expect(lane.isIdle)
    }

    @Test("every sequence of seven events keeps the books right")
    func everySequence() {
        let events = 5
        for sequence in 0..<events * events * events * events * events * events * events {
            var (code, model) = (sequence, Model())
            for step in 0..<7 {
                model.apply(event: code % events, number: UInt64(step))
                code /= events
            }
            guard model.isRight else {
                Issue.record("sequence \(sequence) in base \(events): \(model)")
                return
            }
        }
    }

    /// A lane beside the plainest books of what should be in it.
    private struct Model {
        var lane = LaneStateTests.lane(jobs: 2, bytes: 12)
        var waiting: [Ticket] = []
        var running: [UInt64] = []
        var workers = 0
        var isRight = true

        mutating func apply(event: Int, number: UInt64) {
            switch event {
            case 0: admit(Ticket(number: number, byteCount: 5, version: 1))
            case 1: admit(Ticket(number: number, byteCount: 8, version: 2))
            case 2: if workers > 0 { take() }
            case 3: if !running.isEmpty { lane.finish(running.removeFirst()) }
            default:
                guard let last = waiting.popLast() else { break }
                check(word(lane.withdraw(last.number)) == "removed \(last.number)")
            }
            let bytes = waiting.reduce(0) { $0 + $1.byteCount }
            check(lane.load == QueueLoad(waiting: waiting.count, waitingBytes: bytes, running: running.count))
            check(lane.isIdle == (waiting.isEmpty && workers == 0))
        }

        private mutating func admit(_ ticket: Ticket) {
            let bytes = waiting.reduce(ticket.byteCount) { $0 + $1.byteCount }
            let expected: LaneState<Ticket>.Admission =
                if workers < 2 {
                    .begins
                } else if waiting.count >= 2 {
                    .tooManyJobs
                } else if !waiting.isEmpty, bytes > 12 {
                    .tooManyBytes
                } else {
                    .waits
                }
            check(lane.admit(ticket, mostWorkers: 2) == expected)
            switch expected {
            case .begins:
                workers += 1
                running.append(ticket.number)
            case .waits: waiting.append(ticket)
            case .tooManyJobs, .tooManyBytes: break
            }
        }

        private mutating func take() {
            let expected = Array(waiting.prefix(2).prefix { $0.version == waiting[0].version })
            check(lane.take { _ in 2 } == expected)
            waiting.removeFirst(expected.count)
            running += expected.map(\.number)
            if expected.isEmpty { workers -= 1 }
        }

        private mutating func check(_ condition: Bool) { isRight = isRight && condition }
    }

    private static func word(_ withdrawal: LaneState<Ticket>.Withdrawal) -> String {
        switch withdrawal {
        case .removed(let ticket): "removed \(ticket.number)"
        case .isRunning: "running"
        case .unknown: "unknown"
        }
    }
}
