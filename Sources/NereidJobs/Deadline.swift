// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The value of some work, if it comes before a deadline; `nil` else. Work that is late, or whose requester has left, is cancelled
/// and left to itself: nobody waits for what does not heed its cancellation.
///
/// - Throws: what the work throws; `CancellationError` when the calling task is cancelled.
func value<Value: Sendable>(
    before deadline: ContinuousClock.Instant,
    of work: @escaping @Sendable () async throws -> Value
) async throws -> Value? {
    let (ends, end) = AsyncStream.makeStream(of: Result<Value, any Error>?.self, bufferingPolicy: .bufferingOldest(1))
    let working = Task(operation: work)
    Task { end.yield(await working.result) }
    let alarm = Task {
        try await Task.sleep(until: deadline, clock: .continuous)
        end.yield(nil)
    }
    defer {
        working.cancel()
        alarm.cancel()
    }
    for await first in ends { return try first?.get() }
    throw CancellationError()
}
