// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// What the name of a file in a zip says of it.
enum ArchiveFileName: Equatable {
    /// A folder, which holds nothing itself.
    case folder
    /// A file that a system keeps for itself: hidden, or beside the pictures of some file manager.
    case system
    /// Any other file, by its path from the zip's root.
    case file(String)

    /// Reads a name. It is only ever shown, never opened; still it can't lead anywhere: parts such as `..`, a drive, and a
    /// slash at the start are left out.
    init(_ name: String) {
        // APPNOTE.TXT 4.4.17.1 asks for forward slashes; not every program that makes zips does.
        let unified = name.replacing("\\", with: "/")
        var parts = unified.split(separator: "/").map(String.init).filter { $0 != "." && $0 != ".." }
        if let first = parts.first, first.count == 2, first.hasSuffix(":") { parts.removeFirst() }
        guard !parts.isEmpty, !unified.hasSuffix("/") else {
            self = .folder
            return
        }
        let path = parts.joined(separator: "/")
        let text = path.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }
        self = PictureFileName.isSystemFile(path) ? .system : .file(String(String.UnicodeScalarView(text)))
    }
}
