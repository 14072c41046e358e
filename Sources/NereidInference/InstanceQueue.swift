// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Lends a session's instances, in the order in which runs ask for them.
///
/// A value that takes events and answers what is to be done; ``InstanceGate`` is the shell that does it.
struct InstanceQueue<Waiter> {
    /// What becomes of one who asks.
    enum Admission {
        /// This instance is lent.
        case lent(Int)
        /// All are lent: the waiter is kept until one comes back.
        case waiting
        /// No more are lent.
        case closed
    }

    /// How many instances are there to be lent now.
    var freeCount: Int { free.count }

    private var free: [Int]
    private var waiting: [(ticket: UInt64, waiter: Waiter)] = []
    private var isClosed = false

    init(instances: Int) {
        // Taken from the end, so that a session that is rarely busy keeps to one instance and its warm memory.
        free = Array((0..<instances).reversed())
    }

    /// Someone asks for an instance.
    mutating func ask(_ ticket: UInt64, _ waiter: Waiter) -> Admission {
        guard !isClosed else { return .closed }
        if let instance = free.popLast() { return .lent(instance) }
        waiting.append((ticket, waiter))
        return .waiting
    }

    /// An instance comes back.
    ///
    /// - Returns: The waiter to lend it to at once, if any.
    mutating func giveBack(_ instance: Int) -> Waiter? {
        guard !waiting.isEmpty else {
            free.append(instance)
            return nil
        }
        return waiting.removeFirst().waiter
    }

    /// Someone no longer wants to wait.
    ///
    /// - Returns: The waiter, unless an instance was lent to it meanwhile.
    mutating func leave(_ ticket: UInt64) -> Waiter? {
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return nil }
        return waiting.remove(at: index).waiter
    }

    /// No more instances are to be lent.
    ///
    /// - Returns: Those who wait in vain.
    mutating func close() -> [Waiter] {
        isClosed = true
        defer { waiting = [] }
        return waiting.map(\.waiter)
    }
}
