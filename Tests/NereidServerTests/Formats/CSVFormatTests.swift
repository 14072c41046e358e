// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs
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

    @Test("have numbers as JavaScript writes them")
    func numbers() {
        let numbers: [(Float, String)] = [
            (0, "0"), (1, "1"), (208, "208"), (0.5, "0.5"), (-0.5, "-0.5"), (0.876_54, "0.87654"), (0.000_1, "0.0001"),
            (0.000_03, "0.00003"), (-0.000_03, "-0.00003"), (32_767.125, "32767.125"), (0.1, "0.1"),
        ]
        for (number, text) in numbers { #expect(CSVFormat.decimal(number) == text) }
    }

    static func answer(
        _ task: VisionTask = .detect,
        _ detections: [Detection] = [],
        _ classifications: [Classification] = [],
        taken: CaptureTime? = nil
    ) -> JobAnswer {
        JobAnswer(
            task: task,
            detections: detections,
            classifications: classifications,
            size: PixelSize(width: 6, height: 4),
            taken: taken,
            picture: nil,
            timing: JobTiming(queue: .zero, decode: .zero, inference: .zero, postprocessing: .zero)
        )
    }

    static let headings =
        "file,label,class_id,score,x1,y1,x2,y2,mask_area,image_width,image_height,taken,model,error\r\n"

    @Test("have a line for each detection under their headings, with its mask's pixels and the picture's facts")
    func detections() throws {
        #expect(CSVFormat.headings == Self.headings)
        let box = Box(x1: 1, y1: 2.5, x2: 3.000_4, y2: 4.123_45)
        let mask = Mask(size: PixelSize(width: 6, height: 4), counts: [5, 2, 3, 2, 12])
        let detections = [
            Detection(box: box, score: 0.876_543_2, classID: 3, label: "a,b"),
            Detection(box: box, score: 1, classID: 0, label: "c", mask: mask),
        ]
        let taken = try #require(CaptureTime("2023-06-01T12:34:56+02:00"))
        #expect(
            CSVFormat.lines(file: "x.png", model: "=reef", .success(Self.answer(.segment, detections, taken: taken)))
                == "x.png,\"a,b\",3,0.87654,1,2.5,3,4.123,,6,4,2023-06-01T12:34:56+02:00,'=reef,\r\n"
                + "x.png,c,0,1,1,2.5,3,4.123,4,6,4,2023-06-01T12:34:56+02:00,'=reef,\r\n"
        )
    }

    @Test("have a line for each class of a whole picture")
    func classes() {
        let classes = [
            Classification(classID: 4, label: "reef", score: 0.75),
            Classification(classID: 0, label: "sand", score: 0.25),
        ]
        #expect(
            CSVFormat.lines(file: "a.png", model: "m", .success(Self.answer(.classify, [], classes)))
                == "a.png,reef,4,0.75,,,,,,6,4,,m,\r\na.png,sand,0,0.25,,,,,,6,4,,m,\r\n"
        )
    }

    @Test("have one line for a picture without finds, and for one without an answer")
    func absences() {
        for task in [VisionTask.detect, .classify] {
            #expect(
                CSVFormat.lines(file: "a.png", model: "m", .success(Self.answer(task))) == "a.png,,,,,,,,,6,4,,m,\r\n"
            )
        }
        #expect(
            CSVFormat.lines(file: "a.png", model: "m", .failure(ImagingError.emptyFile))
                == "a.png,,,,,,,,,,,,m,not_a_picture\r\n"
        )
    }

    @Test("have the columns that the page writes")
    func page() throws {
        let root = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        let code = try String(contentsOf: root.appendingPathComponent("Web/export.js"), encoding: .utf8)
        let list = try #require(code.firstMatch(of: #/const CSV_COLUMNS = \[([^\]]*)\];/#)).1
        #expect(list.matches(of: #/"([^"]*)"/#).map { String($0.1) } == CSVFormat.columns)
    }
}
