// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The files that a command's arguments lead to.
struct FoundPictures: Equatable {
    /// The pictures, in the order of the arguments and, in a folder, of their paths.
    var files: [String] = []
    /// The files of folders that are not named like pictures.
    var others: [String] = []

    /// How many of the others are named in a message.
    static let mostNamed = 10

    /// A line that says which files were left out; `nil` if there are none.
    var note: String? {
        guard !others.isEmpty else { return nil }
        let named = others.prefix(Self.mostNamed).joined(separator: ", ")
        let rest = others.count > Self.mostNamed ? " and \(others.count - Self.mostNamed) more" : ""
        return "\(others.count == 1 ? "1 file is" : "\(others.count) files are") not named like a picture and "
            + "\(others.count == 1 ? "was" : "were") skipped: \(named)\(rest)"
    }
}
