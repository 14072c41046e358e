// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How fast one gateway's jobs for a model are done, of a queue that it shares with others.
struct OwnPace: Sendable {
    private var outstanding = 0
    private var rate = CompletionRate()

    /// A job goes into the queue.
    mutating func begins(at now: ContinuousClock.Instant) {
        outstanding += 1
        rate.begins(at: now)
    }

    /// A job is out of it.
    ///
    /// - Parameter isDone: whether it was answered by a worker, and not refused or given up.
    mutating func ends(isDone: Bool, at now: ContinuousClock.Instant) {
        outstanding -= 1
        if isDone { rate.completed(at: now) }
        if outstanding == 0 { rate.pauses() }
    }

    /// The time until half of the jobs are done; `nil`: it is not known.
    func timeUntilRoom(at now: ContinuousClock.Instant) -> Duration? { rate.time(for: (outstanding + 1) / 2, at: now) }
}
