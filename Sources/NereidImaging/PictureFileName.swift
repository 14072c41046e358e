// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What the name of a file says before it is opened.
public enum PictureFileName {
    /// The endings of pictures that this room reads, in small letters.
    public static let endings: Set<String> = [
        "jpg", "jpeg", "jpe", "jfif", "png", "webp", "tif", "tiff", "gif", "heic", "heif", "avif", "bmp",
    ]

    /// Whether a file is named like a picture, by the ending of its name.
    public static func isPicture(_ path: String) -> Bool {
        guard let name = path.split(separator: "/").last, let dot = name.lastIndex(of: ".") else { return false }
        return endings.contains(name[name.index(after: dot)...].lowercased())
    }

    /// Whether a system keeps a file for itself: it is hidden, such as `._a.png` and `.DS_Store` of macOS, or in a folder that
    /// is, or one of the files in which file managers note how they show a folder.
    public static func isSystemFile(_ path: String) -> Bool {
        let parts = path.split(separator: "/").filter { $0 != "." && $0 != ".." }
        guard let last = parts.last else { return false }
        return parts.contains { $0 == "__MACOSX" || $0.hasPrefix(".") }
            || ["thumbs.db", "desktop.ini"].contains(last.lowercased())
    }
}
