// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs
import Testing

@Suite("Job errors")
struct JobErrorTests {
    static let errors: [(JobError, String)] = [
        (
            .queueFull(model: "reef", limit: "at most 64 may wait", setting: "queue_jobs"),
            "the queue of model ‘reef’ is full (at most 64 may wait; setting queue_jobs). "
                + "Try again after the time in Retry-After"
        ),
        (
            .deadlinePassed(model: "reef", hadBegun: true),
            "model ‘reef’ did not finish before the request's deadline (setting request_timeout)"
        ),
        (
            .deadlinePassed(model: "reef", hadBegun: false),
            "model ‘reef’ did not get to this picture before the request's deadline (setting request_timeout)"
        ),
        (
            .notLoadedHere(model: "reef"),
            "model ‘reef’ is not loaded in this process, so that its jobs can't be done here. "
                + "Send them to a queue with workers"
        ),
        (
            .workerFailed(model: "reef", reason: "no disk"),
            "a worker of model ‘reef’ could not answer: no disk"
        ),
        (
            .unusableAnswer(model: "reef", reason: "it has 3 boxes"),
            "a worker of model ‘reef’ gave an answer that can't be used: it has 3 boxes. Look at the workers of this model, "
                + "and at who may write to the queue's Redis"
        ),
        (
            .abandoned(model: "reef", deliveries: 3),
            "3 workers of model ‘reef’ have ended while they had this picture; it is given to no other. "
                + "It is kept among the dead letters: nereid queue dead"
        ),
        (.queueUnreachable(reason: "no route"), "the queue can't be reached: no route"),
    ]

    @Test("say what happened, to which model, and what to do", arguments: errors)
    func text(error: JobError, text: String) {
        #expect(error.description == text)
    }
}
