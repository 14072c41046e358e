// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
import Synchronization
import UnixSignals

/// The signals that ask a command to stop: SIGINT, which Ctrl-C sends, and SIGTERM.
final class StopSignals: Sendable {
    private let signals: UnixSignalsSequence
    private let received = Mutex<Int32?>(nil)

    /// Catches the signals from now on.
    init() async {
        signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    }

    /// Waits for a signal. The next one ends the process at once.
    ///
    /// - Returns: whether one came; `false` when the task is cancelled first.
    func come() async -> Bool {
        for await caught in signals {
            received.withLock { $0 = caught == .sigint ? SIGINT : SIGTERM }
            for number in [SIGINT, SIGTERM] { _ = signal(number, SIG_DFL) }
            return true
        }
        return false
    }

    /// The status of a command that a signal has ended, as shells give it: 128 and the signal's number; `nil` if none came.
    var exitStatus: Int32? { received.withLock { $0.map { 128 + $0 } } }
}
