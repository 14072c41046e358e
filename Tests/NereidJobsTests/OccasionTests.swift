// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization
import Testing

@testable import NereidJobs

@Suite("Occasions")
struct OccasionTests {
    /// Counts calls.
    private final class Calls: Sendable {
        private let number = Mutex(0)
        var count: Int { number.withLock { $0 } }
        func one() { number.withLock { $0 += 1 } }
    }

    @Test("call what waits once, and what comes later at once")
    func calling() {
        let (occasion, calls) = (Occasion(), Calls())
        occasion.whenItComes { calls.one() }
        #expect(!occasion.hasCome)
        #expect(calls.count == 0)
        occasion.come()
        occasion.come()
        #expect(occasion.hasCome)
        #expect(calls.count == 1)
        occasion.whenItComes { calls.one() }
        #expect(calls.count == 2)
    }

    @Test("do not call what was taken back")
    func forgetting() {
        let (occasion, calls) = (Occasion(), Calls())
        let number = occasion.whenItComes { calls.one() }
        occasion.whenItComes { calls.one() }
        occasion.forget(number)
        occasion.come()
        #expect(calls.count == 1)
    }

    @Test("cancel work that goes on, and let finished work be")
    func cancelling() async throws {
        let occasion = Occasion()
        #expect(try await occasion.cancels { 7 } == 7)
        let endless = Task { try await occasion.cancels { try await Task.sleep(for: .seconds(600)) } }
        occasion.come()
        await #expect(throws: CancellationError.self) { try await endless.value }
        // What begins after it has come is cancelled from the start.
        await #expect(throws: CancellationError.self) { try await occasion.cancels { try Task.checkCancellation() } }
    }

    @Test("pass on the cancellation of who waits")
    func outerCancellation() async {
        let occasion = Occasion()
        let waiting = Task { try await occasion.cancels { try await Task.sleep(for: .seconds(600)) } }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(!occasion.hasCome)
    }
}
