// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

@testable import NereidJobs

/// A queue that answers each job as a test says.
struct StubQueue: JobQueue {
    var waiting = 0
    let answer: @Sendable (Job) async throws -> JobAnswer

    init(waiting: Int = 0, answer: @escaping @Sendable (Job) async throws -> JobAnswer) {
        self.waiting = waiting
        self.answer = answer
    }

    func submit(_ job: Job) async throws -> JobAnswer { try await answer(job) }

    func load(of model: String) -> QueueLoad {
        QueueLoad(waiting: waiting, waitingBytes: waiting * 100, running: 0)
    }
}
