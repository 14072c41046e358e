// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
public import Logging

/// Writes each event as one line of logfmt: `time=… level=info source=NereidServer msg="…" key=value …`, keys in their order.
///
/// One event is one line whatever its values hold, since file names, paths of requests and headers are for others to choose;
/// see ``LogfmtLine``.
public struct LogfmtHandler: LogHandler {
    /// What belongs to every line.
    public var metadata: Logger.Metadata = [:]
    /// Says what belongs to the line of this moment.
    public var metadataProvider: Logger.MetadataProvider?
    /// Events below it are not written.
    public var logLevel = Logger.Level.info

    private let now: @Sendable () -> Date
    private let write: @Sendable (String) -> Void

    /// Makes a handler.
    ///
    /// - Parameters:
    ///   - now: the time of an event; the clock's.
    ///   - write: takes whole lines, each with its end.
    init(
        now: @escaping @Sendable () -> Date = { Date() },
        write: @escaping @Sendable (String) -> Void
    ) {
        (self.now, self.write) = (now, write)
    }

    /// A handler that writes to standard error.
    public static func standardError() -> LogfmtHandler {
        LogfmtHandler { StandardErrorLines.write($0) }
    }

    /// What belongs to every line, by its key.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes the line of an event.
    public func log(event: LogEvent) {
        var line = LogfmtLine()
        line.append("time", now().timestamp)
        line.append("level", event.level.rawValue)
        line.append("source", event.source)
        line.append("msg", event.message.description)
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let given = event.metadata { all.merge(given) { $1 } }
        if let error = event.error, all["error"] == nil { all["error"] = "\(error)" }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            line.append(Self.own.contains(key) ? key + "_" : key, value.description)
        }
        write(line.text + "\n")
    }

    /// Keys that every line has, which metadata can't take the place of.
    private static let own: Set<String> = ["time", "level", "source", "msg"]
}
