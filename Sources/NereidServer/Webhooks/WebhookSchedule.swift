// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// When a webhook that did not answer is asked again.
struct WebhookSchedule: Sendable {
    /// The waits between the attempts.
    var waits: [Duration] = [
        .seconds(10), .seconds(30), .seconds(120), .seconds(600), .seconds(3600), .seconds(6 * 3600),
    ]
    /// By how much a wait may be longer or shorter, so that messages which failed together don't come together again.
    var jitter = 0.0...0.2

    /// The most attempts: one, and one after each wait.
    var attempts: Int { waits.count + 1 }

    /// How long to wait after so many attempts; `nil`: there is none any more.
    func wait(after attempts: Int) -> Duration? {
        guard attempts >= 1, attempts <= waits.count else { return nil }
        return waits[attempts - 1] * (1 + Double.random(in: jitter))
    }
}
