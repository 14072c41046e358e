// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import DequeModule

/// The rules of one model's waiting line, as a value: events go in, what to do comes out.
///
/// `Ticket` is whatever stands for a waiting job; the line only needs its number, its size and its model's version.
struct LaneState<Ticket: LaneTicket> {
    private let limits: QueueLimits
    private var waiting: Deque<Ticket> = []
    private var waitingBytes = 0
    private var running: Set<UInt64> = []
    private var workers = 0

    init(limits: QueueLimits) {
        self.limits = limits
    }

    var load: QueueLoad {
        QueueLoad(waiting: waiting.count, waitingBytes: waitingBytes, running: running.count)
    }

    /// Whether nothing waits and nothing runs, so that the line can be forgotten.
    var isIdle: Bool { waiting.isEmpty && workers == 0 }

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
        guard waiting.count < limits.jobs else { return .tooManyJobs }
        // One picture may always wait, however large, or it would be refused for ever.
        guard waiting.isEmpty || waitingBytes + ticket.byteCount <= limits.bytes else { return .tooManyBytes }
        waiting.append(ticket)
        waitingBytes += ticket.byteCount
        return .waits
    }

    /// A worker is free: the next jobs, all for one version of the model, or none, and then the worker is gone.
    mutating func take(upTo most: (Ticket) -> Int) -> [Ticket] {
        guard let first = waiting.first else {
            workers -= 1
            return []
        }
        let count = waiting.prefix(max(1, most(first))).prefix { $0.batchesWith(first) }.count
        let taken = Array(waiting.prefix(count))
        waiting.removeFirst(count)
        for ticket in taken {
            waitingBytes -= ticket.byteCount
            running.insert(ticket.number)
        }
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
        if let index = waiting.firstIndex(where: { $0.number == number }) {
            let ticket = waiting.remove(at: index)
            waitingBytes -= ticket.byteCount
            return .removed(ticket)
        }
        return running.contains(number) ? .isRunning : .unknown
    }
}

/// What a waiting line needs to know of a job.
protocol LaneTicket {
    /// Tells the job from the others in the line.
    var number: UInt64 { get }
    /// The memory it holds.
    var byteCount: Int { get }
    /// Whether it can go through the engine together with another.
    func batchesWith(_ other: Self) -> Bool
}
