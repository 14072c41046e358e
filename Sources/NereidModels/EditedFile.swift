// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Text files that people edit: settings, lists of labels.
public enum EditedFile {
    /// What such a file has to be, for messages.
    public static let requirement = "\(EditedText.encodings) text of at most 1 MiB"

    /// The text of a file; `nil` when it is not there, or not what ``requirement`` says.
    public static func text(at path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path), data.count <= 1 << 20 else { return nil }
        return EditedText(data)?.text
    }

    /// The text of a file whose bytes have been read, without a byte order mark; `nil` when they are not text.
    public static func text(_ bytes: [UInt8]) -> String? {
        EditedText(bytes)?.text
    }
}
