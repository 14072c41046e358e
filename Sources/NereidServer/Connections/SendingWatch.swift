// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// Notices that nothing of what is being sent gets through for a time, because the client does not read.
///
/// Only a lack of progress counts: a client that reads slowly may take as long as it likes. Large pieces are therefore sent in
/// slices (``slices(of:)``), each of which is progress.
final class SendingWatch {
    /// The most bytes that are one step of progress.
    static let sliceBytes = 64 << 10

    private let limit: TimeAmount
    private let alarm: PatientAlarm
    private var unsent = 0

    /// - Parameters:
    ///   - limit: how long nothing may get through.
    ///   - stalled: called when nothing did.
    init(on eventLoop: any EventLoop, limit: TimeAmount, stalled: @escaping () -> Void) {
        self.limit = limit
        alarm = PatientAlarm(on: eventLoop, action: stalled)
    }

    /// Whether something is written and not sent.
    var isSending: Bool { unsent > 0 }

    /// Watches a write.
    ///
    /// - Returns: the promise to write with.
    func write(promise: EventLoopPromise<Void>?, on eventLoop: any EventLoop) -> EventLoopPromise<Void> {
        let sent = eventLoop.makePromise(of: Void.self)
        if let promise { sent.futureResult.cascade(to: promise) }
        unsent += 1
        if unsent == 1 { alarm.set(in: limit) }
        sent.futureResult.assumeIsolated().whenComplete { _ in
            self.unsent -= 1
            if self.unsent > 0 { self.alarm.set(in: self.limit) } else { self.alarm.stop() }
        }
        return sent
    }

    /// Stops watching for good.
    func cancel() { alarm.cancel() }

    /// Bytes in pieces that are each a step of progress; nothing is copied.
    static func slices(of bytes: ByteBuffer) -> [ByteBuffer] {
        guard bytes.readableBytes > sliceBytes else { return [bytes] }
        var (rest, slices): (ByteBuffer, [ByteBuffer]) = (bytes, [])
        while let slice = rest.readSlice(length: min(rest.readableBytes, sliceBytes)), slice.readableBytes > 0 {
            slices.append(slice)
        }
        return slices
    }
}
