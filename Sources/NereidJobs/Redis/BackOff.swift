// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging

/// How long to wait before trying again: twice as long each time up to a bound, and by chance up to half less, so that many
/// clients of a server that was away do not all come back at once.
struct BackOff: Sendable {
    private let first: Duration
    private let most: Duration
    private var attempts = 0

    /// - Parameters:
    ///   - first: the longest first wait.
    ///   - most: the longest wait of all.
    init(first: Duration = .milliseconds(50), most: Duration = .seconds(2)) {
        self.first = first
        self.most = most
    }

    /// The next wait.
    mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let longest = min(most, first * (1 << min(attempts, 20)))
        attempts += 1
        return longest * Double.random(in: 0.5...1, using: &generator)
    }

    /// The next wait.
    mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    /// How loudly to tell of a failure after ``next()``: the first is worth a warning, those that follow it are not.
    var level: Logger.Level { attempts <= 1 ? .warning : .debug }

    /// It has worked: the next wait is the first again.
    mutating func reset() {
        attempts = 0
    }
}
