// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Hummingbird
import NIOCore
import NereidImaging
import NereidVision
import Testing

@testable import NereidJobs
@testable import NereidServer

@Suite("Documents of every task")
struct TaskDocumentTests {
    static func answer(
        _ task: VisionTask,
        _ detections: [Detection] = [],
        _ classifications: [Classification] = []
    ) -> JobAnswer {
        JobAnswer(
            task: task,
            detections: detections,
            classifications: classifications,
            size: PixelSize(width: 6, height: 4),
            picture: nil,
            timing: JobTiming(queue: .zero, decode: .zero, inference: .zero, postprocessing: .zero)
        )
    }

    static func json(_ answer: JobAnswer) throws -> JSON {
        let data = try JSONEncoder().encode(PredictionDocument(id: "1", model: "reef", answer: answer))
        return try JSONDecoder().decode(JSON.self, from: data)
    }

    static let plain = Detection(box: Box(x1: 1, y1: 1, x2: 3, y2: 3), score: 0.5, classID: 2, label: "urchin")

    @Test("gives masks as COCO's run lengths and as polygons")
    func masks() throws {
        var detection = Self.plain
        // Two columns of two pixels, the second one row lower.
        detection.mask = Mask(size: PixelSize(width: 6, height: 4), counts: [5, 2, 3, 2, 12])
        let json = try Self.json(Self.answer(.segment, [detection]))
        #expect(json.task == "segment")
        let item = json.detections[0]
        #expect(item.keys == ["box", "class_id", "label", "mask", "polygons", "score"])
        #expect(item.mask.keys == ["area", "counts", "size"])
        #expect((item.mask.size, item.mask.area) == ([4, 6], 4))
        let counts = try #require(item.mask.counts.string)
        #expect(Mask(size: PixelSize(width: 6, height: 4), compressedCounts: counts) == detection.mask)
        #expect(item.polygons.elements.count == 1)
        #expect(item.polygons[0].elements.count.isMultiple(of: 2))
        #expect(item.polygons[0].elements.count >= 8)
    }

    @Test("gives keypoints with their scores, where they have one")
    func keypoints() throws {
        var detection = Self.plain
        detection.keypoints = [Keypoint(x: 1.25, y: 2, score: 0.75), Keypoint(x: 3, y: 0)]
        let item = try Self.json(Self.answer(.pose, [detection])).detections[0]
        #expect(item.keys == ["box", "class_id", "keypoints", "label", "score"])
        #expect(item.keypoints == [[1.25, 2, 0.75], [3, 0]])
    }

    @Test("gives turned boxes by centre, size, angle and corners")
    func rotatedBoxes() throws {
        var detection = Self.plain
        detection.rotation = RotatedBox(centre: Point(x: 2, y: 2), width: 2, height: 1, angle: 0)
        let box = try Self.json(Self.answer(.obb, [detection])).detections[0].rotated_box
        #expect(box.keys == ["angle", "centre", "corners", "size"])
        #expect((box.centre, box.size, box.angle) == ([2, 2], [2, 1], 0))
        #expect(box.corners == [[3, 2.5], [3, 1.5], [1, 1.5], [1, 2.5]])
    }

    @Test("gives the classes of a whole picture, and none where there are objects")
    func classifications() throws {
        let classes = [
            Classification(classID: 4, label: "reef", score: 0.75),
            Classification(classID: 0, label: "sand", score: 0.25),
        ]
        let json = try Self.json(Self.answer(.classify, [], classes))
        #expect(json.keys == ["classifications", "detections", "id", "image", "model", "task", "timing"])
        #expect(json.detections == [])
        #expect(json.classifications[0].keys == ["class_id", "label", "score"])
        #expect(json.classifications.elements.map(\.label) == ["reef", "sand"])
        #expect(json.classifications.elements.map(\.class_id) == [4, 0])
        #expect(json.classifications.elements.map(\.score) == [0.75, 0.25])
        #expect(try Self.json(Self.answer(.detect, [Self.plain])).classifications == .null)
    }

    @Test("gives the time at which the picture was taken, where its file has it")
    func taken() throws {
        var answer = Self.answer(.detect)
        #expect(try Self.json(answer).image.keys == ["height", "width"])
        answer.taken = CaptureTime("2023-06-01T12:34:56")
        #expect(try Self.json(answer).image.taken == "2023-06-01T12:34:56")
    }

    @Test("tells clients of boxes the best class as a box around the picture")
    func boxes() {
        let classes = [
            Classification(classID: 4, label: "reef", score: 0.75),
            Classification(classID: 0, label: "sand", score: 0.25),
        ]
        let whole = Detection(box: Box(x1: 0, y1: 0, x2: 6, y2: 4), score: 0.75, classID: 4, label: "reef")
        #expect(Self.answer(.classify, [], classes).boxes == [whole])
        #expect(Self.answer(.classify).boxes.isEmpty)
        #expect(Self.answer(.pose, [Self.plain]).boxes == [Self.plain])
    }
}

@Suite("Limits of writing answers")
struct WritingLimitTests {
    static func answer(_ count: Int) throws -> JobAnswer {
        var detection = TaskDocumentTests.plain
        detection.mask = Mask(size: PixelSize(width: 6, height: 4), counts: [5, 2, 3, 2, 12])
        return TaskDocumentTests.answer(.segment, [Detection](repeating: detection, count: count))
    }

    @Test("are looked at for every object and its polygons, and give the same answer where time is left")
    func documents() throws {
        let answer = try Self.answer(10)
        for checks in 0..<20 {
            #expect(throws: ImagingError.deadlinePassed) {
                try PredictionDocument(id: "1", model: "reef", answer: answer, limit: .ending(after: checks))
            }
        }
        let document = try PredictionDocument(id: "1", model: "reef", answer: answer, limit: .unlimited)
        let usual = PredictionDocument(id: "1", model: "reef", answer: answer)
        #expect(ByteBuffer(json: document) == ByteBuffer(json: usual))
    }

    @Test("are looked at while JSON is written")
    func json() throws {
        let document = PredictionDocument(id: "1", model: "reef", answer: try Self.answer(10))
        for checks in 0..<10 {
            #expect(throws: ImagingError.deadlinePassed) { try Response(json: document, limit: .ending(after: checks)) }
        }
        #expect(throws: Never.self) { try Response(json: document, limit: .ending(after: 10)) }
    }
}
