// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Duration {
    /// Seconds with as many digits as are needed: `30 s`, `0.5 s`.
    var formatted: String {
        let seconds = self / .seconds(1)
        return seconds == seconds.rounded() ? "\(Int(seconds)) s" : "\(seconds) s"
    }

    /// Milliseconds, to the microsecond.
    var milliseconds: Double { ((self / .microseconds(1)).rounded()) / 1000 }
}
