// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidJobs
import Testing

@testable import NereidServer

@Suite("When to try again")
struct RetryAfterTests {
    @Test(
        "is in whole seconds, rounded up, from one to sixty",
        arguments: [
            (0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2500, 3), (59_001, 60), (60_000, 60), (3_600_000, 60),
        ]
    )
    func bounds(milliseconds: Int, seconds: Int) {
        #expect(RetryAfter(.milliseconds(milliseconds)).time == .seconds(seconds))
    }

    @Test("of jobs is when the first of those that go on will be done, at the pace that it had")
    func jobs() {
        let now = Date(timeIntervalSince1970: 1_000_000)
        func job(_ pictures: Int, done: Int, age: Double, isFinished: Bool = false) -> BulkJob {
            let created = now.addingTimeInterval(-age)
            return BulkJob(
                id: "j",
                model: "m",
                created: created,
                finished: isFinished ? now : nil,
                pictures: pictures,
                done: done
            )
        }
        #expect(BulkProgress([], at: now).timeUntilRoom == nil)
        #expect(
            BulkProgress([job(10, done: 0, age: 50), job(3, done: 3, age: 9, isFinished: true)], at: now).timeUntilRoom
                == nil
        )
        let slow = job(100, done: 20, age: 40)
        let fast = job(100, done: 90, age: 45)
        #expect(BulkProgress([slow], at: now).timeUntilRoom == .seconds(160))
        #expect(BulkProgress([slow, fast], at: now).timeUntilRoom == .seconds(5))
    }

    @Test("of uploads is when half of those that hold memory will have given it back")
    func uploads() throws {
        let memory = UploadMemory(limit: 100)
        #expect(memory.timeUntilRoom == nil)
        var shares = (0..<3).map { _ in memory.share() }
        for share in shares { try share.grow(by: 10) }
        // Shares that never held anything are none.
        _ = memory.share()
        #expect(memory.timeUntilRoom == nil)
        shares.removeLast()
        #expect(memory.timeUntilRoom != nil)
        #expect(memory.byteCount == 20)
        withExtendedLifetime(shares) {}
    }
}
