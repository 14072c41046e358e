// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if DEBUG
import Foundation
import NIOCore

/// Ways to fail on purpose, for tests of what others do about it. Release builds have none.
enum Failpoint {
    /// The text that pictures which end the process hold; `NEREID_FAILPOINT_CRASH`, `nil` in ordinary life.
    private static let crash = ProcessInfo.processInfo.environment["NEREID_FAILPOINT_CRASH"].map { Data($0.utf8) }

    /// Ends the process as an error in a decoder or an engine would, if this is a picture that is to do so.
    static func crash(on picture: ByteBuffer) {
        guard let crash, !crash.isEmpty, Data(picture.readableBytesView).range(of: crash) != nil else { return }
        kill(getpid(), SIGKILL)
    }
}
#endif
