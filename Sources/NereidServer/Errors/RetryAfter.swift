// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// When a client that was refused for lack of room may try again.
struct RetryAfter: Equatable {
    /// The least and the most that clients are told: a guess about the far future is none.
    static let bounds = Duration.seconds(1)...Duration.seconds(60)
    /// The time, in whole seconds.
    let time: Duration

    /// - Parameter estimate: when there will be room.
    init(_ estimate: Duration) {
        let bounded = min(max(estimate, Self.bounds.lowerBound), Self.bounds.upperBound)
        time = .seconds((bounded / .seconds(1)).rounded(.up))
    }
}
