// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidInference

@Suite struct InstanceQueueTests {
    private func ask(_ queue: inout InstanceQueue<String>, _ ticket: UInt64) -> Int? {
        if case .lent(let instance) = queue.ask(ticket, "waiter \(ticket)") { return instance }
        return nil
    }

    @Test func lendsEachInstanceOnce() {
        var queue = InstanceQueue<String>(instances: 2)
        #expect(ask(&queue, 0) == 0)
        #expect(ask(&queue, 1) == 1)
        #expect(ask(&queue, 2) == nil)
    }

    @Test func lendsInTheOrderOfAsking() {
        var queue = InstanceQueue<String>(instances: 1)
        _ = ask(&queue, 0)
        _ = ask(&queue, 1)
        _ = ask(&queue, 2)
        #expect(queue.giveBack(0) == "waiter 1")
        #expect(queue.giveBack(0) == "waiter 2")
        #expect(queue.giveBack(0) == nil)
        #expect(ask(&queue, 3) == 0)
    }

    @Test func forgetsThoseWhoLeave() {
        var queue = InstanceQueue<String>(instances: 1)
        _ = ask(&queue, 0)
        _ = ask(&queue, 1)
        _ = ask(&queue, 2)
        #expect(queue.leave(1) == "waiter 1")
        #expect(queue.leave(1) == nil)
        #expect(queue.giveBack(0) == "waiter 2")
        // Too late: the instance is lent already.
        #expect(queue.leave(2) == nil)
    }

    @Test func keepsToOneInstanceWhenRarelyBusy() {
        var queue = InstanceQueue<String>(instances: 3)
        for ticket in 0..<5 {
            let instance = ask(&queue, UInt64(ticket))
            #expect(instance == 0)
            _ = queue.giveBack(0)
        }
    }

    @Test func refusesEveryoneOnceClosed() {
        var queue = InstanceQueue<String>(instances: 1)
        _ = ask(&queue, 0)
        _ = ask(&queue, 1)
        _ = ask(&queue, 2)
        #expect(queue.close() == ["waiter 1", "waiter 2"])
        #expect(queue.giveBack(0) == nil)
        guard case .closed = queue.ask(3, "late") else {
            Issue.record("a closed queue lent an instance")
            return
        }
        #expect(queue.close().isEmpty)
    }
}
