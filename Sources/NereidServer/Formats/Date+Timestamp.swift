// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Date {
    /// The time as RFC 3339 writes it, in UTC, to the millisecond: `2026-11-25T11:00:00.000Z`.
    var timestamp: String {
        // Half a microsecond on: a number of milliseconds is hardly ever exact in binary, and digits are cut, not rounded.
        let milliseconds = (timeIntervalSince1970 * 1000).rounded()
        return ISO8601FormatStyle(includingFractionalSeconds: true)
            .format(Date(timeIntervalSince1970: milliseconds / 1000 + 0.000_000_5))
    }
}
