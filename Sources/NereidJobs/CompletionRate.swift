// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import DequeModule

/// How fast work is done lately, and so when what waits will be done. A value: times go in, an estimate comes out.
///
/// It is the mean time between completions, of the last of them. While nothing is to be done no time passes for it.
package struct CompletionRate: Sendable {
    private static let most = 32

    private var intervals: Deque<Duration> = []
    private var sum = Duration.zero
    /// When the last completion was, or work began after a pause; `nil`: there is a pause.
    private var since: ContinuousClock.Instant?

    /// A rate of which nothing is known yet.
    package init() {}

    /// There is something to do. Calls after the first count only after a pause.
    package mutating func begins(at now: ContinuousClock.Instant) {
        if since == nil { since = now }
    }

    /// So many pieces of work were done since the last call.
    package mutating func completed(_ count: Int = 1, at now: ContinuousClock.Instant) {
        guard count > 0 else { return }
        defer { since = now }
        guard let since else { return }
        let interval = max(.zero, now - since) / count
        for _ in 0..<min(count, Self.most) {
            intervals.append(interval)
            sum += interval
            if intervals.count > Self.most, let oldest = intervals.popFirst() { sum -= oldest }
        }
    }

    /// There is nothing to do.
    package mutating func pauses() { since = nil }

    /// The time between two completions; `nil`: none was seen yet.
    package func interval(at now: ContinuousClock.Instant) -> Duration? {
        guard !intervals.isEmpty else { return nil }
        let mean = sum / intervals.count
        // One that takes longer than usual is known before it is done.
        guard let since, now - since > mean else { return mean }
        return (sum + (now - since)) / (intervals.count + 1)
    }

    /// The time until so many are done.
    package func time(for count: Int, at now: ContinuousClock.Instant) -> Duration? {
        interval(at: now).map { $0 * max(1, count) }
    }
}
