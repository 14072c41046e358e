// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidJobs

@Suite("Work with a deadline")
struct DeadlineTests {
    private struct Failure: Error, Equatable {}

    @Test("gives its value or its error when it is in time")
    func inTime() async throws {
        #expect(try await value(before: .now + .seconds(600)) { 7 } == 7)
        await #expect(throws: Failure()) { try await value(before: .now + .seconds(600)) { throw Failure() } as Int? }
    }

    @Test("is cancelled and not waited for when it is late, though it does not heed that")
    func late() async throws {
        let cancelled = Occasion()
        let late: Int? = try await value(before: .now + .milliseconds(20)) {
            await withTaskCancellationHandler {
                // Never resumed before the deadline: as a command whose reply does not come.
                await withCheckedContinuation { continuation in
                    cancelled.whenItComes { Task { continuation.resume() } }
                }
            } onCancel: {
                cancelled.come()
            }
            return 7
        }
        #expect(late == nil)
        #expect(cancelled.hasCome)
    }

    @Test("is cancelled with who waits for it")
    func cancelled() async {
        let waiting = Task {
            try await value(before: .now + .seconds(600)) { try await Task.sleep(for: .seconds(600)) }
        }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }
}
