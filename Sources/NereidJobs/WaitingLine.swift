// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import DequeModule

/// The rules of one model's waiting line, as a value: events go in, what to do comes out.
///
/// Jobs of the lane ``Lane/interactive`` go first, and each lane is bounded by itself: however many bulk jobs wait, as many
/// others may.
///
/// `Ticket` is whatever stands for a waiting job; the line only needs its number, its size, its lane and its model's version.
struct WaitingLine<Ticket: LineTicket> {
    private let limits: QueueLimits
    private var interactive = Waiting()
    private var bulk = Waiting()
    private var running: Set<UInt64> = []
    private var workers = 0

    init(limits: QueueLimits) {
        self.limits = limits
    }

    /// How the jobs of both lanes stand together.
    var load: QueueLoad {
        QueueLoad(
            waiting: interactive.tickets.count + bulk.tickets.count,
            waitingBytes: interactive.bytes + bulk.bytes,
            running: running.count
        )
    }

    /// Whether nothing waits and nothing runs, so that the line can be forgotten.
    var isIdle: Bool { interactive.tickets.isEmpty && bulk.tickets.isEmpty && workers == 0 }

    enum Admission: Equatable {
        /// A new worker begins with it at once.
        case begins
        /// It waits for one of the workers there are.
        case waits
        case tooManyJobs
        case tooManyBytes
    }

    /// A job has come.
    ///
    /// - Parameter mostWorkers: how many workers may serve the line at once.
    mutating func admit(_ ticket: Ticket, mostWorkers: Int) -> Admission {
        if workers < mostWorkers {
            workers += 1
            running.insert(ticket.number)
            return .begins
        }
        switch ticket.lane {
        case .interactive: return interactive.admit(ticket, limits: limits)
        case .bulk: return bulk.admit(ticket, limits: limits)
        }
    }

    /// A worker is free: the next jobs, all of one lane and for one version of the model, or none, and then the worker is gone.
    mutating func take(upTo most: (Ticket) -> Int) -> [Ticket] {
        var taken = interactive.take(upTo: most)
        if taken.isEmpty { taken = bulk.take(upTo: most) }
        if taken.isEmpty { workers -= 1 }
        running.formUnion(taken.map(\.number))
        return taken
    }

    /// A taken job has its answer, whatever it is.
    mutating func finish(_ number: UInt64) {
        running.remove(number)
    }

    enum Withdrawal {
        /// It had not begun and never will.
        case removed(Ticket)
        /// A worker has it.
        case isRunning
        /// It is answered already.
        case unknown
    }

    /// Nobody waits for a job any more.
    mutating func withdraw(_ number: UInt64) -> Withdrawal {
        if let ticket = interactive.remove(number) ?? bulk.remove(number) { return .removed(ticket) }
        return running.contains(number) ? .isRunning : .unknown
    }

    /// The jobs of one lane that wait, in the order in which they came.
    private struct Waiting {
        var tickets: Deque<Ticket> = []
        var bytes = 0

        mutating func admit(_ ticket: Ticket, limits: QueueLimits) -> Admission {
            guard tickets.count < limits.jobs else { return .tooManyJobs }
            // One picture may always wait, however large, or it would be refused for ever.
            guard tickets.isEmpty || bytes + ticket.byteCount <= limits.bytes else { return .tooManyBytes }
            tickets.append(ticket)
            bytes += ticket.byteCount
            return .waits
        }

        mutating func take(upTo most: (Ticket) -> Int) -> [Ticket] {
            guard let first = tickets.first else { return [] }
            let count = tickets.prefix(max(1, most(first))).prefix { $0.batchesWith(first) }.count
            let taken = Array(tickets.prefix(count))
            tickets.removeFirst(count)
            for ticket in taken { bytes -= ticket.byteCount }
            return taken
        }

        mutating func remove(_ number: UInt64) -> Ticket? {
            guard let index = tickets.firstIndex(where: { $0.number == number }) else { return nil }
            let ticket = tickets.remove(at: index)
            bytes -= ticket.byteCount
            return ticket
        }
    }
}

/// What a waiting line needs to know of a job.
protocol LineTicket {
    /// Tells the job from the others in the line.
    var number: UInt64 { get }
    /// The memory it holds.
    var byteCount: Int { get }
    /// Who waits for it.
    var lane: Lane { get }
    /// Whether it can go through the engine together with another.
    func batchesWith(_ other: Self) -> Bool
}
