// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// When a piece of work must stop: at a deadline, or as soon as it is cancelled.
///
/// Work on the threads of a pool has no task that it could ask, so ``ImagingPool`` hands one of these to it. Long loops call
/// ``check()`` every few rows or items. A check takes tens of nanoseconds.
public struct WorkLimit: Sendable {
    /// Work that may take as long as it needs.
    public static let unlimited = WorkLimit()

    private let deadline: ContinuousClock.Instant?
    private let flag: CancellationFlag?
    private let now: @Sendable () -> ContinuousClock.Instant

    /// Makes a limit.
    ///
    /// - Parameters:
    ///   - deadline: when the work must have ended. Default: none.
    ///   - flag: is set when nobody waits for the work any more. Default: none.
    ///   - now: the time, for tests.
    public init(
        deadline: ContinuousClock.Instant? = nil,
        flag: CancellationFlag? = nil,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.deadline = deadline
        self.flag = flag
        self.now = now
    }

    /// Ends the work that calls it, if its time is over.
    ///
    /// - Throws: ``ImagingError/cancelled``, ``ImagingError/deadlinePassed``.
    public func check() throws(ImagingError) {
        if let flag, flag.isSet { throw .cancelled }
        if let deadline, now() >= deadline { throw .deadlinePassed }
    }
}

/// Says that work is to stop. It is set once, from any thread, and seen from any thread.
public final class CancellationFlag: Sendable {
    private let value = Atomic(false)

    /// Makes a flag that is not set.
    public init() {}

    /// Whether the work is to stop.
    public var isSet: Bool { value.load(ordering: .relaxed) }

    /// Stops the work.
    public func set() { value.store(true, ordering: .relaxed) }
}
