// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

@testable import NereidJobs

/// A queue that answers each job as a test says.
struct StubQueue: JobQueue {
    var waiting = 0
    var timeUntilRoom: Duration?
    let answer: @Sendable (Job) async throws -> JobAnswer

    init(waiting: Int = 0, timeUntilRoom: Duration? = nil, answer: @escaping @Sendable (Job) async throws -> JobAnswer)
    {
        self.waiting = waiting
        self.timeUntilRoom = timeUntilRoom
        self.answer = answer
    }

    func submit(_ job: Job) async throws -> JobAnswer { try await answer(job) }

    func timeUntilRoom(for model: String) -> Duration? { timeUntilRoom }

    func load(of model: String) -> QueueLoad {
        QueueLoad(waiting: waiting, waitingBytes: waiting * 100, running: 0)
    }
}
