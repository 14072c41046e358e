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
        // Code points, not characters: a combining mark at a value's begin belongs to it, not to the sign before it.
        var (values, rest) = ([String: String](), Substring(line).unicodeScalars)
        while !rest.isEmpty {
            guard let equals = rest.firstIndex(of: "=") else { return [:] }
            let key = String(rest[..<equals])
            rest = rest[rest.index(after: equals)...]
            var end = rest.startIndex
            let value: String
            if rest.first == "\"" {
                var isEscaped = true
                while end < rest.endIndex, isEscaped || rest[end] != "\"" {
                    isEscaped = !isEscaped && rest[end] == "\\"
                    end = rest.index(after: end)
                }
                guard end < rest.endIndex else { return [:] }
                end = rest.index(after: end)
                let json = Data(String(rest[..<end]).utf8)
                guard let text = try? JSONDecoder().decode(String.self, from: json) else { return [:] }
                value = text
            } else {
                end = rest.firstIndex(of: " ") ?? rest.endIndex
                value = String(rest[..<end])
            }
            guard values.updateValue(value, forKey: key) == nil else { return [:] }
            rest = rest[end...]
            guard rest.isEmpty || rest.first == " " else { return [:] }
            rest = rest.dropFirst()
        }
        return values
    }
}
