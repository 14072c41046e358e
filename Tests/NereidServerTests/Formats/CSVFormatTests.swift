// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidVision
import Testing

@testable import NereidServer

@Suite("Comma-separated values")
struct CSVFormatTests {
    static let fields: [(String, String)] = [
        ("urchin", "urchin"),
        ("", ""),
        ("sea star, red", "\"sea star, red\""),
        ("12\" pipe", "\"12\"\" pipe\""),
        ("two\nlines", "\"two\nlines\""),
        ("two\r\nlines", "\"two\r\nlines\""),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\rx", "\"'\rx\""),
        ("\r\nx", "\"'\r\nx\""),
        ("=\"a\",b", "\"'=\"\"a\"\",b\""),
        ("a=b", "a=b"),
        // With a combining accent, which makes one character of both.
        ("=\u{301}x", "'=\u{301}x"),
        ("a\"\u{301}b", "\"a\"\"\u{301}b\""),
        ("海鼠 ❄", "海鼠 ❄"),
    ]

    @Test("quote what needs it and keep spreadsheets from computing", arguments: fields)
    func quoting(field: String, expected: String) {
        // Scalar by scalar: as characters, some of these would compare equal.
        #expect(Array(CSVFormat.quoted(field).unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test("have a line for each detection under their headings")
    func lines() {
        let box = Box(x1: 1, y1: 2.5, x2: 3.000_4, y2: 4.123_45)
        let detections = [
            Detection(box: box, score: 0.876_543_2, classID: 3, label: "a,b"),
            Detection(box: box, score: 1, classID: 0, label: "c"),
        ]
        #expect(CSVFormat.headings == "file,label,class_id,score,x1,y1,x2,y2\r\n")
        #expect(
            CSVFormat.lines(file: "x.png", detections)
                == "x.png,\"a,b\",3,0.87654,1.0,2.5,3.0,4.123\r\nx.png,c,0,1.0,1.0,2.5,3.0,4.123\r\n"
        )
        #expect(CSVFormat.lines(file: "x.png", []).isEmpty)
    }
}
