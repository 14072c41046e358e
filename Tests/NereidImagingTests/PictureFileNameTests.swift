// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidImaging

@Suite("Names of picture files")
struct PictureFileNameTests {
    @Test("end like those of pictures")
    func endings() {
        for name in ["a.png", "dive 1/a.b.JPEG", "ä.TiFF", "x.heic", "._a.png"] {
            #expect(PictureFileName.isPicture(name))
        }
        for name in ["", "png", ".png/a", "a.png/b", "a.txt", "a.", "a.png.zip", "a/"] {
            #expect(!PictureFileName.isPicture(name), "\(name)")
        }
    }

    @Test("may be a system's own")
    func systemFiles() {
        let own = [
            "._a.png", "b/._a.png", ".DS_Store", ".hidden/a.png", "__MACOSX/a.png", "b/Thumbs.db", "DESKTOP.INI",
        ]
        for name in own { #expect(PictureFileName.isSystemFile(name), "\(name)") }
        for name in ["a.png", "./a.png", "../b/a.png", "b_/a.png", "thumbs.db/a.png", ""] {
            #expect(!PictureFileName.isSystemFile(name), "\(name)")
        }
    }
}
