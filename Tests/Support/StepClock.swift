// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// A clock that goes on by a second each time that it is looked at.
public final class StepClock: Sendable {
    /// What it shows before it is looked at.
    public let start = ContinuousClock.now
    private let looks = Atomic(0)

    /// Makes a clock.
    public init() {}

    /// How often it was looked at.
    public var count: Int { looks.load(ordering: .relaxed) }

    /// The time.
    public func now() -> ContinuousClock.Instant {
        start + .seconds(looks.wrappingAdd(1, ordering: .relaxed).newValue)
    }
}
