// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import Synchronization

@testable import NereidServer

/// What a ``LogfmtHandler`` has written.
final class LogLines: Sendable {
    private let content = Mutex("")

    /// All of it, as a file would have it.
    var text: String { content.withLock { $0 } }

    /// The lines that end.
    var lines: [[String: String]] { text.split(separator: "\n").map { Self.read(String($0)) } }

    func logger(label: String = "tests", level: Logger.Level = .info) -> Logger {
        var logger = Logger(label: label) { _ in
            LogfmtHandler(now: { Date(timeIntervalSince1970: 1_764_000_000.25) }) { [self] line in
                content.withLock { $0 += line }
            }
        }
        logger.logLevel = level
        return logger
    }

    /// Reads a line as other programs do: words, and JSON strings. Empty when it is not logfmt.
    static func read(_ line: String) -> [String: String] {
        var (values, rest) = ([String: String](), Substring(line))
        while !rest.isEmpty {
            guard let equals = rest.firstIndex(of: "=") else { return [:] }
            let key = String(rest[..<equals])
            rest = rest[rest.index(after: equals)...]
            var value: Substring
            if rest.first == "\"" {
                guard let match = rest.prefixMatch(of: /"(?:[^"\\]|\\.)*"/) else { return [:] }
                value = match.output
                rest = rest[match.range.upperBound...]
                guard let text = try? JSONDecoder().decode(String.self, from: Data(value.utf8)) else { return [:] }
                value = Substring(text)
            } else {
                value = rest.prefix { $0 != " " }
                rest = rest[value.endIndex...]
            }
            guard values.updateValue(String(value), forKey: key) == nil else { return [:] }
            guard rest.isEmpty || rest.first == " " else { return [:] }
            rest = rest.dropFirst()
        }
        return values
    }
}
