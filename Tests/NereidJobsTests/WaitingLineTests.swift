// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidJobs

@Suite("The rules of a waiting line")
struct WaitingLineTests {
    struct Ticket: LineTicket, Equatable {
        let number: UInt64
        var byteCount = 1
        var version = 1
        var lane = Lane.interactive

        func batchesWith(_ other: Ticket) -> Bool { version == other.version }
    }

    static func line(jobs: Int = 64, bytes: Int = 1000) -> WaitingLine<Ticket> {
        WaitingLine(limits: QueueLimits(jobs: jobs, bytes: bytes))
    }

    /// Takes one job at a time.
    static func takeOne(_ line: inout WaitingLine<Ticket>) -> UInt64? { line.take { _ in 1 }.first?.number }

    @Test("as many wait as may, besides those that workers have begun with", arguments: 0...3)
    func jobLimit(limit: Int) {
        var line = Self.line(jobs: limit)
        #expect(line.admit(Ticket(number: 0), mostWorkers: 1) == .begins)
        for number in 0..<limit {
            #expect(line.admit(Ticket(number: UInt64(number + 1)), mostWorkers: 1) == .waits)
        }
        #expect(line.admit(Ticket(number: 99), mostWorkers: 1) == .tooManyJobs)
        #expect(line.load == QueueLoad(waiting: limit, waitingBytes: limit, running: 1))
        // Another worker may come for it, whoever else waits.
        #expect(line.admit(Ticket(number: 99), mostWorkers: 2) == .begins)
        #expect(line.admit(Ticket(number: 100), mostWorkers: 2) == .tooManyJobs)
    }

    @Test("bytes are limited too, but one picture may always wait")
    func byteLimit() {
        var line = Self.line(bytes: 100)
        #expect(line.admit(Ticket(number: 1, byteCount: 500), mostWorkers: 1) == .begins)
        #expect(line.admit(Ticket(number: 2, byteCount: 500), mostWorkers: 1) == .waits)
        #expect(line.admit(Ticket(number: 3, byteCount: 1), mostWorkers: 1) == .tooManyBytes)
        #expect(Self.takeOne(&line) == 2)
        #expect(line.admit(Ticket(number: 4, byteCount: 60), mostWorkers: 1) == .waits)
        #expect(line.admit(Ticket(number: 5, byteCount: 40), mostWorkers: 1) == .waits)
        #expect(line.admit(Ticket(number: 6, byteCount: 1), mostWorkers: 1) == .tooManyBytes)
        #expect(line.load == QueueLoad(waiting: 2, waitingBytes: 100, running: 2))
    }

    @Test("workers begin until there are enough, and again after they have gone")
    func workers() {
        var line = Self.line()
        #expect((0..<4).map { line.admit(Ticket(number: $0), mostWorkers: 2) } == [.begins, .begins, .waits, .waits])
        while Self.takeOne(&line) != nil {}
        // One worker has found nothing and gone; the other still works.
        #expect(line.admit(Ticket(number: 5), mostWorkers: 2) == .begins)
        #expect(line.admit(Ticket(number: 6), mostWorkers: 2) == .waits)
    }

    @Test("a refused job leaves no trace")
    func refusal() {
        var line = Self.line(jobs: 0)
        #expect(line.admit(Ticket(number: 1), mostWorkers: 1) == .begins)
        #expect(line.admit(Ticket(number: 2), mostWorkers: 1) == .tooManyJobs)
        #expect(Self.word(line.withdraw(2)) == "unknown")
        line.finish(1)
        #expect(Self.takeOne(&line) == nil)
        #expect(line.isIdle)
    }

    @Test("jobs leave in the order in which they came, in batches of one version")
    func batches() {
        var line = Self.line()
        for (number, version) in [9, 1, 1, 2, 1, 1, 1, 1].enumerated() {
            _ = line.admit(Ticket(number: UInt64(number), version: version), mostWorkers: 1)
        }
        func take() -> [UInt64] { line.take { _ in 3 }.map(\.number) }
        #expect([take(), take(), take(), take(), take()] == [[1, 2], [3], [4, 5, 6], [7], []])
        #expect(line.load == QueueLoad(waiting: 0, waitingBytes: 0, running: 8))
    }

    static let batchSizes = [(-1, 1), (0, 1), (1, 1), (2, 2), (9, 2)]

    @Test("a batch holds one job at least, and at most what its first job's model takes", arguments: batchSizes)
    func batchSize(most: Int, expected: Int) {
        var line = Self.line()
        for number in 0..<3 { _ = line.admit(Ticket(number: UInt64(number), version: 7), mostWorkers: 1) }
        var asked: [Int] = []
        let taken = line.take { ticket in
            asked.append(ticket.version)
            return most
        }
        #expect(taken.count == expected)
        #expect(asked == [7])
    }

    @Test("a job can be withdrawn while it waits, is known while it runs, and unknown before and after")
    func withdrawal() {
        var line = Self.line()
        #expect(Self.word(line.withdraw(1)) == "unknown")
        for number in 1...4 { _ = line.admit(Ticket(number: UInt64(number), byteCount: number), mostWorkers: 1) }
        #expect(Self.word(line.withdraw(1)) == "running")
        #expect(Self.word(line.withdraw(3)) == "removed 3")
        #expect(Self.word(line.withdraw(3)) == "unknown")
        #expect(line.load == QueueLoad(waiting: 2, waitingBytes: 6, running: 1))
        #expect(Self.takeOne(&line) == 2)
        #expect(Self.word(line.withdraw(2)) == "running")
        line.finish(2)
        #expect(Self.word(line.withdraw(2)) == "unknown")
        #expect(Self.takeOne(&line) == 4)
    }

    @Test("a line is idle when nobody waits and its workers have gone")
    func idle() {
        var line = Self.line()
        #expect(line.isIdle)
        for number: UInt64 in 1...2 { _ = line.admit(Ticket(number: number), mostWorkers: 1) }
        _ = line.withdraw(2)
        line.finish(1)
        #expect(!line.isIdle, "the worker may still find something")
        #expect(Self.takeOne(&line) == nil)
        #expect(line.isIdle)
    }

    @Test("bulk jobs are taken only when no other waits, in batches of their own")
    func lanes() {
        var line = Self.line()
        #expect(line.admit(Ticket(number: 0, lane: .bulk), mostWorkers: 1) == .begins)
        for (number, lane) in [Lane.bulk, .bulk, .interactive, .bulk, .interactive].enumerated() {
            #expect(line.admit(Ticket(number: UInt64(number + 1), lane: lane), mostWorkers: 1) == .waits)
        }
        #expect(line.load == QueueLoad(waiting: 5, waitingBytes: 5, running: 1))
        #expect(line.take { _ in 9 }.map(\.number) == [3, 5])
        #expect(line.take { _ in 2 }.map(\.number) == [1, 2])
        #expect(line.admit(Ticket(number: 6), mostWorkers: 1) == .waits)
        #expect(Self.takeOne(&line) == 6)
        #expect(Self.takeOne(&line) == 4)
        #expect(!line.isIdle)
        #expect(Self.takeOne(&line) == nil)
        #expect(line.isIdle)
    }

    @Test("each lane has bounds of its own", arguments: [(Lane.bulk, Lane.interactive), (.interactive, .bulk)])
    func laneLimits(full: Lane, other: Lane) {
        var line = Self.line(jobs: 2, bytes: 10)
        _ = line.admit(Ticket(number: 0), mostWorkers: 1)
        #expect(line.admit(Ticket(number: 1, byteCount: 8, lane: full), mostWorkers: 1) == .waits)
        #expect(line.admit(Ticket(number: 2, byteCount: 8, lane: full), mostWorkers: 1) == .tooManyBytes)
        #expect(line.admit(Ticket(number: 3, byteCount: 8, lane: other), mostWorkers: 1) == .waits)
        #expect(line.admit(Ticket(number: 4, byteCount: 2, lane: full), mostWorkers: 1) == .waits)
        #expect(line.admit(Ticket(number: 5, byteCount: 0, lane: full), mostWorkers: 1) == .tooManyJobs)
        #expect(line.admit(Ticket(number: 6, byteCount: 2, lane: other), mostWorkers: 1) == .waits)
        #expect(line.load == QueueLoad(waiting: 4, waitingBytes: 20, running: 1))
    }

    @Test("a bulk job can be withdrawn as any other")
    func bulkWithdrawal() {
        var line = Self.line()
        for number: UInt64 in 0...2 { _ = line.admit(Ticket(number: number, lane: .bulk), mostWorkers: 1) }
        #expect(Self.word(line.withdraw(0)) == "running")
        #expect(Self.word(line.withdraw(1)) == "removed 1")
        #expect(Self.word(line.withdraw(1)) == "unknown")
        #expect(line.load == QueueLoad(waiting: 1, waitingBytes: 1, running: 1))
    }

    @Test("every sequence of seven events keeps the books right")
    func everySequence() {
        let events = 6
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

    /// A line beside the plainest books of what should be in it.
    private struct Model {
        var line = WaitingLineTests.line(jobs: 2, bytes: 12)
        var waiting: [Ticket] = []
        var running: [UInt64] = []
        var workers = 0
        var isRight = true

        mutating func apply(event: Int, number: UInt64) {
            switch event {
            case 0: admit(Ticket(number: number, byteCount: 5, version: 1))
            case 1: admit(Ticket(number: number, byteCount: 8, version: 2))
            case 5: admit(Ticket(number: number, byteCount: 8, version: 1, lane: .bulk))
            case 2: if workers > 0 { take() }
            case 3: if !running.isEmpty { line.finish(running.removeFirst()) }
            default:
                guard let last = waiting.popLast() else { break }
                check(word(line.withdraw(last.number)) == "removed \(last.number)")
            }
            let bytes = waiting.reduce(0) { $0 + $1.byteCount }
            check(line.load == QueueLoad(waiting: waiting.count, waitingBytes: bytes, running: running.count))
            check(line.isIdle == (waiting.isEmpty && workers == 0))
        }

        private mutating func admit(_ ticket: Ticket) {
            let waiting = waiting.filter { $0.lane == ticket.lane }
            let bytes = waiting.reduce(ticket.byteCount) { $0 + $1.byteCount }
            let expected: WaitingLine<Ticket>.Admission =
                if workers < 2 {
                    .begins
                } else if waiting.count >= 2 {
                    .tooManyJobs
                } else if !waiting.isEmpty, bytes > 12 {
                    .tooManyBytes
                } else {
                    .waits
                }
            check(line.admit(ticket, mostWorkers: 2) == expected)
            switch expected {
            case .begins:
                workers += 1
                running.append(ticket.number)
            case .waits: self.waiting.append(ticket)
            case .tooManyJobs, .tooManyBytes: break
            }
        }

        private mutating func take() {
            let others = waiting.filter { $0.lane == .interactive }
            let first = others.isEmpty ? waiting : others
            let expected = Array(first.prefix(2).prefix { $0.version == first[0].version })
            check(line.take { _ in 2 } == expected)
            waiting.removeAll { expected.contains($0) }
            running += expected.map(\.number)
            if expected.isEmpty { workers -= 1 }
        }

        private mutating func check(_ condition: Bool) { isRight = isRight && condition }
    }

    private static func word(_ withdrawal: WaitingLine<Ticket>.Withdrawal) -> String {
        switch withdrawal {
        case .removed(let ticket): "removed \(ticket.number)"
        case .isRunning: "running"
        case .unknown: "unknown"
        }
    }
}
