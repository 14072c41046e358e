// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// Looks again and again until something is there.
///
/// - Parameters:
///   - what: what is awaited, for the error.
///   - limit: how long it may take. A generous limit costs nothing when all is well.
///   - look: `nil` while it is not there.
/// - Returns: what the last look found.
@discardableResult
func eventually<Value>(
    _ what: String,
    within limit: Duration = .seconds(60),
    _ look: () async throws -> Value?
) async throws -> Value {
    let deadline = ContinuousClock.now + limit
    while true {
        if let value = try await look() { return value }
        guard ContinuousClock.now < deadline else {
            throw WaitedInVain(description: "waited \(limit) in vain for \(what)")
        }
        try await Task.sleep(for: .milliseconds(15))
    }
}

/// Something did not come.
struct WaitedInVain: Error, CustomStringConvertible {
    let description: String
}

extension Bool {
    /// Makes a condition something to await: `nil` while it is false.
    var orNil: Void? { self ? () : nil }
}
