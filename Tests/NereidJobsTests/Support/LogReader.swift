// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging

/// A log whose warnings a test can wait for.
struct LogReader: Sendable {
    let lines: AsyncStream<String>
    private let line: AsyncStream<String>.Continuation

    init() {
        (lines, line) = AsyncStream.makeStream()
    }

    var logger: Logger {
        Logger(label: "tests") { [line] _ in Handler(line: line) }
    }

    private struct Handler: LogHandler {
        let line: AsyncStream<String>.Continuation
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.warning

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            line.yield("\(event.message)")
        }
    }
}
