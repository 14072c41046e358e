// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What can be wrong with a checkpoint; each case prints what is wrong, where, and what to do.
public enum CheckpointError: Error, Sendable, Equatable {
    /// The file cannot be opened.
    case unreadable(file: String, reason: String)
    /// The file holds something else than a checkpoint.
    case notACheckpoint(file: String, found: String, advice: String)
    /// The file is a checkpoint and uses something that Nereid does not read.
    case unsupported(file: String, place: CheckpointPlace, feature: String, advice: String)
    /// The file contradicts itself: it was cut short, altered, or made to do harm.
    case damaged(file: String, place: CheckpointPlace, reason: String)
    /// The file asks for more than ``CheckpointLimits`` allows.
    case limitExceeded(file: String, place: CheckpointPlace, what: String, limit: Int)
    /// A tensor cannot be read as it was asked for.
    case tensorUnreadable(file: String, tensor: String, reason: String)
}

/// Where in a checkpoint something is wrong.
public struct CheckpointPlace: Sendable, Hashable {
    /// The entry of the archive, such as `best/data.pkl`; `nil` when the file has no entries.
    public let part: String?
    /// Bytes from the start of that entry, or of the file.
    public let byte: Int?

    /// Names a place.
    ///
    /// - Parameters:
    ///   - part: The entry of the archive; `nil` when the file has no entries.
    ///   - byte: Bytes from the start of that entry, or of the file; `nil` when the whole is meant.
    public init(part: String?, byte: Int?) {
        self.part = part
        self.byte = byte
    }
}

extension CheckpointPlace: CustomStringConvertible {
    /// The entry and the byte, in words.
    public var description: String {
        switch (part, byte) {
        case (let part?, let byte?): "byte \(byte) of its entry \(Excerpt(part))"
        case (let part?, nil): "its entry \(Excerpt(part))"
        case (nil, let byte?): "byte \(byte)"
        case (nil, nil): "the file"
        }
    }
}

extension CheckpointError: CustomStringConvertible {
    /// What is wrong, where, and what to do.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "checkpoint ‘\(file)’ cannot be read: \(reason)"
        case .notACheckpoint(let file, let found, let advice):
            "‘\(file)’ is not a checkpoint but \(found); \(advice)"
        case .unsupported(let file, let place, let feature, let advice):
            "checkpoint ‘\(file)’ is not supported: at \(place), \(feature); \(advice)"
        case .damaged(let file, let place, let reason):
            "checkpoint ‘\(file)’ is damaged: at \(place), \(reason); fetch or save it again"
        case .limitExceeded(let file, let place, let what, let limit):
            """
            checkpoint ‘\(file)’ is refused: at \(place), it has more than \(limit) \(what), \
            far beyond what a model needs; fetch it again from a source that you trust
            """
        case .tensorUnreadable(let file, let tensor, let reason):
            "a tensor of checkpoint ‘\(file)’, \(tensor), cannot be read: \(reason)"
        }
    }
}

/// Words of an untrusted file as they may stand in a message: short, on one line, without control characters.
struct Excerpt: CustomStringConvertible {
    let description: String

    init(_ text: String, limit: Int = 120) {
        var shown = "‘"
        var rest = text.unicodeScalars[...]
        for _ in 0..<limit {
            guard let scalar = rest.popFirst() else { break }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                shown.unicodeScalars.append(scalar)
            }
        }
        description = shown + (rest.isEmpty ? "’" : "…’")
    }
}
