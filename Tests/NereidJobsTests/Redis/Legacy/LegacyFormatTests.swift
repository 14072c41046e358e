// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOFoundationCompat
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs

@Suite("Format of the older workers")
struct LegacyFormatTests {
    @Test("reads lists with and without the names of their models")
    func lists() throws {
        #expect(try LegacyList(parsing: "queue") == LegacyList("queue", model: "queue"))
        #expect(
            try LegacyList.lists(parsing: "image_queue_yolov5, benthic = image_queue_detectron2")
                == [LegacyList("image_queue_yolov5"), LegacyList("image_queue_detectron2", model: "benthic")]
        )
        #expect(try LegacyList(parsing: "m=a=b") == LegacyList("a=b", model: "m"))
    }

    @Test(
        "says what is wrong with names of lists",
        arguments: [
            ("", LegacyListError.nameless(""), "‘’ names no list"), ("a,,b", .nameless(""), "LIST or MODEL=LIST"),
            ("m=", .nameless("m="), "‘m=’ names no list"), ("=list", .nameless("=list"), "‘=list’"),
            ("m=a,m=b", .repeated("m"), "two lists are to serve the model ‘m’"),
        ]
    )
    func badLists(text: String, error: LegacyListError, words: String) {
        #expect(throws: error) { try LegacyList.lists(parsing: text) }
        #expect(error.description.contains(words))
    }

    @Test("writes every value of every channel as a 32-bit float, blue first")
    func pixels() throws {
        // All 256 values in each channel, in another order in each.
        var pixels: [UInt8] = []
        var expected: [Float] = []
        for red in 0..<256 {
            let (green, blue) = ((red + 85) % 256, (red + 170) % 256)
            pixels += [UInt8(red), UInt8(green), UInt8(blue)]
            expected += [Float(blue), Float(green), Float(red)]
        }
        let picture = try Picture(width: 64, height: 4, pixels: pixels)
        let json = Data(buffer: try LegacyPicture(picture).json(id: "the-id"))
        let entry = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
        #expect(Set(entry.keys) == ["id", "height", "width", "image"])
        #expect(entry["id"] as? String == "the-id" && entry["height"] as? Int == 4 && entry["width"] as? Int == 64)
        let text = try #require(entry["image"] as? String)
        var bytes = ByteBuffer(data: try #require(Data(base64Encoded: text)))
        var numbers: [Float] = []
        while let bits: UInt32 = bytes.readInteger(endianness: .little) { numbers.append(Float(bitPattern: bits)) }
        #expect(numbers == expected)
    }

    @Test("applies to an answer what the request asked for, and clips boxes to the picture")
    func options() throws {
        let answer = try LegacyAnswer(
            json: ByteBuffer(
                string: """
                    [{"category_id": "star", "scores": [0.2], "bbox": [1, 2, 3, 4]},
                     {"category_id": "urchin", "scores": [0.1, 0.9], "bbox": [-5.5, 2, 300, 4]},
                     {"category_id": 7, "scores": [0.5], "bbox": [0, 0, 1, 1], "more": null}]
                    """
            ),
            from: "m"
        )
        var labels = SeenLabels()
        func detections(_ options: PredictionOptions) -> [Detection] {
            answer.detections(in: PixelSize(width: 100, height: 50), options) { labels.number(of: $0) ?? -1 }
        }
        let all = detections(PredictionOptions())
        #expect(all.map(\.label) == ["urchin", "7", "star"] && all.map(\.classID) == [1, 2, 0])
        #expect(all.map(\.score) == [0.9, 0.5, 0.2])
        #expect(all[0].box == Box(x1: 0, y1: 2, x2: 100, y2: 4))
        #expect(labels.names == ["star", "urchin", "7"])
        #expect(detections(PredictionOptions(confidence: 0.5)).map(\.label) == ["urchin", "7"])
        #expect(detections(PredictionOptions(maxDetections: 1)).map(\.label) == ["urchin"])
        #expect(detections(PredictionOptions(classes: [0, 2])).map(\.label) == ["7", "star"])
    }

    @Test("numbers labels as they were first seen, and has an end")
    func labels() {
        var labels = SeenLabels()
        for number in 0..<SeenLabels.most { #expect(labels.number(of: "\(number)") == number) }
        #expect(labels.number(of: "one more") == nil && labels.number(of: "17") == 17)
    }

    @Test(
        "says that an answer can't be read",
        arguments: [
            "garbage", "", "{}", "[1]", #"[{"scores": [1], "bbox": [1, 2, 3, 4]}]"#,
            #"[{"category_id": "a", "scores": [], "bbox": [1, 2, 3, 4]}]"#,
            #"[{"category_id": "a", "scores": [1], "bbox": [1, 2, 3]}]"#,
            #"[{"category_id": "a", "scores": [NaN], "bbox": [1, 2, 3, 4]}]"#,
            #"[{"category_id": "a", "scores": [1], "bbox": [1e999, 2, 3, 4]}]"#,
        ]
    )
    func malformed(text: String) {
        let error = #expect(throws: JobError.self) {
            try LegacyAnswer(json: ByteBuffer(string: text), from: "reef")
        }
        guard case .unusableAnswer("reef", let reason) = error else {
            Issue.record("another error")
            return
        }
        #expect(reason.contains("docs/migration.md") && reason.contains("begins with ‘\(text.prefix(80))’"))
    }
}
