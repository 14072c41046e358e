// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidServer

@Suite("Names of files in zips")
struct ArchiveFileNameTests {
    static let names: [(String, ArchiveFileName)] = [
        ("reef.jpg", .file("reef.jpg")), ("dive 1/reef.jpg", .file("dive 1/reef.jpg")),
        ("tauchgänge/Seeigel.png", .file("tauchgänge/Seeigel.png")), ("dive/", .folder), ("", .folder), ("/", .folder),
        ("..", .folder), ("dive\\", .folder), ("dive\\reef.jpg", .file("dive/reef.jpg")),
        ("/etc/passwd", .file("etc/passwd")), ("../../etc/passwd", .file("etc/passwd")),
        ("a/./b/../c.png", .file("a/b/c.png")), ("C:\\dive\\reef.jpg", .file("dive/reef.jpg")),
        ("..\\..\\reef.jpg", .file("reef.jpg")), ("a//b.png", .file("a/b.png")), ("a\u{7}\nb.png", .file("ab.png")),
        ("__MACOSX/._reef.jpg", .system), ("dive/__MACOSX/reef.jpg", .system), (".DS_Store", .system),
        ("dive/.DS_Store", .system), (".hidden/reef.jpg", .system), ("Thumbs.db", .system), ("dive/thumbs.DB", .system),
        ("desktop.ini", .system),
    ]

    @Test("tell files from folders and from what systems keep for themselves, and lead nowhere", arguments: names)
    func reading(name: String, expected: ArchiveFileName) {
        #expect(ArchiveFileName(name) == expected)
    }
}
