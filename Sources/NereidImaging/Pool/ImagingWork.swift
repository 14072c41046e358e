// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Synchronization

/// A piece of work between its coming and its end.
final class ImagingWork: Sendable {
    let number: UInt64
    let claim: ImagingSchedule<ImagingWork>.Claim
    /// Is set when nobody waits for it any more.
    let flag: CancellationFlag
    private let body: @Sendable (DecodingMemory?) -> Void
    private let refusal: @Sendable (any Error) -> Void

    /// - Parameters:
    ///   - body: does the work, with the memory that was claimed for it, and sees to its own errors.
    ///   - refusal: is told why the work is not done.
    init(
        number: UInt64,
        claim: ImagingSchedule<ImagingWork>.Claim,
        flag: CancellationFlag,
        body: @escaping @Sendable (DecodingMemory?) -> Void,
        refusal: @escaping @Sendable (any Error) -> Void
    ) {
        (self.number, self.claim, self.flag) = (number, claim, flag)
        (self.body, self.refusal) = (body, refusal)
    }

    func perform(with memory: DecodingMemory?) { body(memory) }
    func refuse(_ error: any Error) { refusal(error) }
}

/// Where the result of work goes: to the one who waits, once. Later results go nowhere.
final class ImagingReply<Value: Sendable>: Sendable {
    private let waiter = Mutex<CheckedContinuation<Value, any Error>?>(nil)

    func wait(_ continuation: CheckedContinuation<Value, any Error>) {
        waiter.withLock { $0 = continuation }
    }

    func answer(_ result: Result<Value, any Error>) {
        waiter.withLock { waiter in
            defer { waiter = nil }
            return waiter
        }?.resume(with: result)
    }
}
