// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The life of a connection, as a value: events go in, what to do comes out.
///
/// Redis replies in the order of the commands, so the first who waits is the one who is answered. `Waiter` is whatever waits
/// for a reply; `Instant` is the time by which it has to be there.
struct RedisConnectionState<Waiter, Instant: Comparable> {
    private enum Phase {
        case connecting
        /// The commands that begin a connection are sent; so many of their replies are still to come.
        case greeting(remaining: Int)
        case ready
        /// No command is taken any more; it closes with the last reply.
        case leaving
        case closed
    }

    private struct Pending {
        let waiter: Waiter
        let deadline: Instant
    }

    private let address: String
    private var phase = Phase.connecting
    private var pending: [Pending] = []
    /// Where in `pending` the first lies who is not answered; the answered ones before it go now and then.
    private var first = 0

    init(address: String) {
        self.address = address
    }

    /// How many wait for a reply.
    var waiting: Int { pending.count - first }

    /// By when the next reply has to come.
    var nextDeadline: Instant? { first < pending.count ? pending[first].deadline : nil }

    /// The connection stands; the commands that begin it are sent.
    mutating func connected(greetings: Int) {
        guard case .connecting = phase else { return }
        phase = .greeting(remaining: max(1, greetings))
    }

    enum Submission {
        case write
        case refuse(RedisError)
    }

    /// Somebody wants to send a command and waits for its reply.
    mutating func submit(_ waiter: Waiter, deadline: Instant) -> Submission {
        switch phase {
        case .ready:
            pending.append(Pending(waiter: waiter, deadline: deadline))
            return .write
        case .closed:
            // Who looked whether it stands did so just before its end.
            return .refuse(.connectionLost(reason: "it had just ended"))
        case .connecting, .greeting, .leaving:
            return .refuse(.closed)
        }
    }

    enum Reception {
        /// The reply belongs to this one.
        case answer(Waiter)
        /// The reply belongs to this one, and it was the last.
        case answerAndClose(Waiter)
        /// More replies to the greeting are to come.
        case greeted
        /// This was the last reply to the greeting: commands may be sent.
        case ready
        /// The connection is of no use.
        case fail(RedisError)
        /// It came after the end.
        case ignore
    }

    /// A reply has come.
    mutating func receive(_ reply: RedisReply) -> Reception {
        switch phase {
        case .connecting:
            return .fail(.badReply("it spoke before it was asked"))
        case .greeting(let remaining):
            if case .error(let reason) = reply { return .fail(.notLetIn(address: address, reason: reason)) }
            if remaining == 1, reply.integer == nil {
                // While a server on this machine is away, a connection to its port may by chance come from that port: it is then
                // connected to itself, and hears what it says. The next attempt comes from another.
                return .fail(
                    .connectionLost(reason: "what answers there does not number its connections, as Redis does")
                )
            }
            phase = remaining == 1 ? .ready : .greeting(remaining: remaining - 1)
            return remaining == 1 ? .ready : .greeted
        case .ready:
            return takeFirst().map { .answer($0) } ?? .fail(.badReply("it replied to nothing"))
        case .leaving:
            guard let waiter = takeFirst() else { return .fail(.badReply("it replied to nothing")) }
            return waiting == 0 ? .answerAndClose(waiter) : .answer(waiter)
        case .closed:
            return .ignore
        }
    }

    private mutating func takeFirst() -> Waiter? {
        guard first < pending.count else { return nil }
        defer {
            first += 1
            if first == pending.count || first == 64 {
                pending.removeFirst(first)
                first = 0
            }
        }
        return pending[first].waiter
    }

    /// The first who waits, if it has waited for too long: nothing more is to be expected of the connection.
    func overdue(at now: Instant) -> Waiter? {
        guard let nextDeadline, nextDeadline <= now else { return nil }
        return pending[first].waiter
    }

    /// Nobody will send any more.
    ///
    /// - Returns: whether to close at once.
    mutating func leave() -> Bool {
        switch phase {
        case .connecting, .greeting: return true
        case .ready:
            phase = .leaving
            return waiting == 0
        case .leaving, .closed: return false
        }
    }

    /// The connection has ended.
    ///
    /// - Returns: those who get no reply.
    mutating func close() -> [Waiter] {
        phase = .closed
        defer { (pending, first) = ([], 0) }
        return pending[first...].map(\.waiter)
    }
}
