// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Logging
import Synchronization

/// A log that a test reads: level, message and the model of each event.
final class LogReader: Sendable {
    private let content = Mutex<[String]>([])

    var events: [String] { content.withLock { $0 } }

    var logger: Logger { Logger(label: "tests") { _ in Handler(reader: self) } }

    private struct Handler: LogHandler {
        let reader: LogReader
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let model = event.metadata?["model"].map { " \($0)" } ?? ""
            reader.content.withLock { $0.append("\(event.level) \(event.message)\(model)") }
        }
    }
}
