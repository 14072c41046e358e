// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
import Foundation

/// How far a long run has come, on standard error if that is a terminal.
final class ProgressBar {
    private let total: Int
    private let isShown: Bool
    private let clock = ContinuousClock()
    private let begun: ContinuousClock.Instant
    private var lastDrawn: ContinuousClock.Instant?
    private var done = 0

    init(total: Int) {
        self.total = total
        begun = clock.now
        isShown = isatty(STDERR_FILENO) == 1 && total > 1
    }

    func advance() {
        done += 1
        guard isShown else { return }
        let now = clock.now
        // Ten times a second is as smooth as it needs to be.
        if let lastDrawn, now - lastDrawn < .milliseconds(100), done < total { return }
        lastDrawn = now
        put("\r\(Self.line(done: done, of: total, after: now - begun))\u{1B}[K")
    }

    func finish() {
        if isShown { put("\n") }
    }

    /// `[#####…     ] 12/40  3.1 pictures/s  9 s left`
    static func line(done: Int, of total: Int, after elapsed: Duration, width: Int = 30) -> String {
        let seconds = elapsed / .seconds(1)
        let rate = seconds > 0 ? Double(done) / seconds : 0
        let filled = total > 0 ? width * done / total : width
        let bar = String(repeating: "#", count: filled) + String(repeating: "·", count: width - filled)
        let left = rate > 0 ? "\(Int((Double(total - done) / rate).rounded(.up))) s left" : ""
        return "[\(bar)] \(done)/\(total)  \((rate * 10).rounded() / 10) pictures/s  \(left)"
    }

    private func put(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
