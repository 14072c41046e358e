// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What is wrong with the server's settings.
public enum SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A key of a settings file or an environment variable that means nothing.
    case unknown(name: String, source: String, known: [String])
    /// A value that can't be used.
    case invalid(source: String, value: String, expected: String)
    /// A value whose fault takes a sentence. The value is not repeated: it may hold a password.
    case unusable(source: String, reason: String)
    /// A gateway that is not told where its workers are.
    case gatewayWithoutQueue
    /// Lists of older workers without the Redis that they stand in.
    case listsWithoutQueue
    /// A settings file that can't be read.
    case unreadable(path: String, reason: String)

    /// What happened, to which setting, and what to do.
    public var description: String {
        switch self {
        case .unknown(let name, let source, let known):
            "‘\(name)’ in \(source) is not a setting. Settings: \(known.joined(separator: ", "))"
        case .invalid(let source, let value, let expected):
            "\(source) is ‘\(value)’, but must be \(expected)"
        case .unusable(let source, let reason):
            "\(source) can't be used: \(reason)"
        case .gatewayWithoutQueue:
            "a process without workers needs the queue of workers elsewhere: --queue redis://HOST:6379/0 (NEREID_QUEUE)"
        case .listsWithoutQueue:
            "the lists of older workers (legacy_queue) stand in the Redis of the queue: --queue redis://HOST:6379/0 (NEREID_QUEUE)"
        case .unreadable(let path, let reason):
            "the settings file \(path) can't be used: \(reason)"
        }
    }
}
