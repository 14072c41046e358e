// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What a file is by its first bytes.
enum FileKind: Equatable {
    case zip
    case legacy
    case pickle
    /// Something else, in words, and what to do about it.
    case foreign(found: String, advice: String)

    init(_ bytes: CheckpointBytes) {
        if bytes.starts(with: "PK\u{3}\u{4}") || bytes.starts(with: "PK\u{5}\u{6}") {
            self = .zip
        } else if bytes.count >= 2, bytes[0] == 0x80, (2...5).contains(bytes[1]) {
            // The old format begins with a pickle that holds nothing but a long integer.
            let isLong = bytes.count >= 4 && bytes[2] == PickleOpcode.long1.rawValue && bytes[3] == 10
            self = isLong ? .legacy : .pickle
        } else {
            self = Self.foreign(bytes)
        }
    }

    private static func foreign(_ bytes: CheckpointBytes) -> Self {
        let file = ForeignFile(bytes)
        return .foreign(found: file.found, advice: file.advice)
    }
}
