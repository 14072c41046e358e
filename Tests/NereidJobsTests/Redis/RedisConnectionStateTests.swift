// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidJobs

@Suite("Life of a connection to Redis")
struct RedisConnectionStateTests {
    /// A state that can be asked within an expectation.
    final class Connection {
        var state = RedisConnectionState<String, Int>(address: "redis://here")

        /// What it makes of a reply, in words.
        func receive(_ reply: RedisReply) -> String {
            switch state.receive(reply) {
            case .answer(let waiter): "answer \(waiter)"
            case .answerAndClose(let waiter): "answer \(waiter) and close"
            case .greeted: "greeted"
            case .ready: "ready"
            case .fail(let error): "fail: \(error)"
            case .ignore: "ignore"
            }
        }

        /// Whether a command is taken.
        @discardableResult
        func take(_ waiter: String, by deadline: Int = 0) -> Bool {
            if case .write = state.submit(waiter, deadline: deadline) { true } else { false }
        }

        func leave() -> Bool { state.leave() }

        func close() -> [String] { state.close() }

        static func ready() -> Connection {
            let connection = Connection()
            connection.state.connected(greetings: 1)
            _ = connection.state.receive(.integer(1))
            return connection
        }
    }

    @Test("takes commands only once it is greeted")
    func greeting() {
        let connection = Connection()
        #expect(!connection.take("early"))
        connection.state.connected(greetings: 2)
        #expect(!connection.take("early"))
        #expect(connection.receive(.status("OK")) == "greeted")
        #expect(!connection.take("early"))
        #expect(connection.receive(.integer(9)) == "ready")
        #expect(connection.take("a"))
    }

    @Test("ends when the greeting is refused, and says by whom")
    func refusedGreeting() {
        let connection = Connection()
        connection.state.connected(greetings: 2)
        let outcome = connection.receive(.error("WRONGPASS invalid username-password pair"))
        #expect(outcome.hasPrefix("fail: Redis at redis://here does not let us in: WRONGPASS"))
    }

    @Test("ends when it hears itself, or anything else that is not Redis")
    func echo() {
        let connection = Connection()
        connection.state.connected(greetings: 1)
        let outcome = connection.receive(
            .array([.bytes(ByteBuffer(string: "CLIENT")), .bytes(ByteBuffer(string: "ID"))])
        )
        #expect(outcome.contains("does not number its connections"))
        #expect(!connection.take("early"))
    }

    @Test("gives replies to those who wait in their order, errors too")
    func order() {
        let connection = Connection.ready()
        for number in 0..<200 { #expect(connection.take("\(number)")) }
        for number in 0..<100 { #expect(connection.receive(.integer(number)) == "answer \(number)") }
        #expect(connection.state.waiting == 100)
        #expect(connection.take("last"))
        for number in 100..<200 { #expect(connection.receive(.error("ERR")) == "answer \(number)") }
        #expect(connection.receive(.null) == "answer last")
        #expect(connection.state.waiting == 0)
    }

    @Test("ends at a reply that nobody waits for")
    func unexpected() {
        let connection = Connection.ready()
        #expect(connection.receive(.null).contains("replied to nothing"))
        let silent = Connection()
        #expect(silent.receive(.null).contains("spoke before it was asked"))
    }

    @Test("knows who has waited for too long")
    func deadlines() {
        let connection = Connection.ready()
        #expect(connection.state.nextDeadline == nil && connection.state.overdue(at: 100) == nil)
        connection.take("a", by: 10)
        connection.take("b", by: 5)
        #expect(connection.state.nextDeadline == 10 && connection.state.overdue(at: 9) == nil)
        #expect(connection.state.overdue(at: 10) == "a")
        _ = connection.receive(.null)
        #expect(connection.state.overdue(at: 10) == "b")
    }

    @Test("leaves with the last reply, and takes nothing meanwhile")
    func leaving() {
        let connection = Connection.ready()
        connection.take("a")
        connection.take("b")
        #expect(!connection.leave())
        #expect(!connection.take("c"))
        #expect(connection.receive(.null) == "answer a")
        #expect(connection.receive(.null) == "answer b and close")
        #expect(connection.close().isEmpty)
        let idle = Connection.ready()
        #expect(idle.leave())
        let connecting = Connection()
        #expect(connecting.leave())
    }

    @Test("names at its end those who get no reply, once")
    func closing() {
        let connection = Connection.ready()
        for waiter in ["a", "b", "c"] { connection.take(waiter) }
        _ = connection.receive(.null)
        #expect(connection.close() == ["b", "c"])
        #expect(connection.close().isEmpty)
        // Who comes too late may try again.
        guard case .refuse(let error) = connection.state.submit("d", deadline: 0) else {
            Issue.record("a closed connection has taken a command")
            return
        }
        #expect(error == .connectionLost(reason: "it had just ended") && error.mayPass)
        #expect(connection.receive(.null) == "ignore")
        #expect(!connection.leave())
    }
}
