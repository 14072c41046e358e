// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

@Suite("Trained detectors", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct KnownObjectsTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let file: String
        let kind: HeadKind
        /// The least number of objects by class on bus.jpg and on zidane.jpg.
        let bus: [Int: Int]
        let zidane: [Int: Int]

        var testDescription: String { file }
    }

    // COCO's classes: 0 is a person, 5 a bus. The face detector has one class.
    static let samples = [
        Sample(file: "yolov5n-coco-fp16-640.onnx", kind: .yolov5, bus: [0: 3, 5: 1], zidane: [0: 2]),
        Sample(file: "yolov8n-int8-640.onnx", kind: .yolov8, bus: [0: 3, 5: 1], zidane: [0: 2]),
        Sample(file: "yolov8n-seg-int8-320.onnx", kind: .yolov8, bus: [0: 3, 5: 1], zidane: [0: 2]),
        Sample(file: "yolox-nano-416.onnx", kind: .yolox, bus: [0: 3, 5: 1], zidane: [0: 2]),
        Sample(file: "yolo-fastestv2-352.onnx", kind: .fastestV2, bus: [0: 2, 5: 1], zidane: [0: 2]),
        Sample(file: "face-rfb-320x240.onnx", kind: .ssd, bus: [:], zidane: [0: 2]),
    ]

    @Test("find the persons, the bus and the faces", arguments: samples)
    func objects(sample: Sample) async throws {
        let model = try await Fixtures.model(try SharedFolder.model(sample.file))
        #expect(model.headKind == sample.kind)
        for (photo, least) in [("bus.jpg", sample.bus), ("zidane.jpg", sample.zidane)] where !least.isEmpty {
            let found = try await model.predict([SharedFolder.photo(photo)])[0].detections
            let counts = Dictionary(grouping: found, by: \.classID).mapValues(\.count)
            for (classID, count) in least {
                #expect(counts[classID, default: 0] >= count, "class \(classID) on \(photo): \(found)")
            }
            // The bus fills most of the picture's width; there is but one.
            if sample.bus[5] != nil, photo == "bus.jpg" { #expect(counts[5] == 1) }
        }
    }

    @Test("are told from a network that marks pixels without objects")
    func others() async throws {
        let graph = try SharedFolder.model("deeplabv3-voc21-257.onnx")
        let error = await #expect(throws: VisionError.self) { try await Fixtures.model(graph) }
        #expect(error?.description.contains("deeplabv3-voc21-257.onnx") == true)
    }

    @Test("say what a picture shows, most likely first")
    func classes() async throws {
        let model = try await Fixtures.model(try SharedFolder.model("mobilenetv2-imagenet-int8-224.onnx"))
        #expect(model.task == .classify)
        #expect(model.input.fit == .crop)
        // What Pillow, NumPy and the same engine give in Python: 734 is ImageNet's police van, 654 its minibus.
        let prediction = try await model.predict([SharedFolder.photo("bus.jpg")])[0]
        #expect(prediction.detections.isEmpty)
        #expect(prediction.classifications.count == 5)
        #expect(prediction.classifications.prefix(2).map(\.classID) == [734, 654])
        #expect(abs(prediction.classifications[0].score - 0.4812) < 2e-3)
        #expect(abs(prediction.classifications[1].score - 0.4733) < 2e-3)
        let scores = prediction.classifications.map(\.score)
        #expect(scores == scores.sorted(by: >))
        let all = try await model.predict([SharedFolder.photo("bus.jpg")], options: .init(topClasses: 2000))[0]
        #expect(all.classifications.count == 1000)
        #expect(abs(all.classifications.reduce(0) { $0 + $1.score } - 1) < 1e-4)
    }

    @Test("mark the pixels of the persons and of the bus")
    func masks() async throws {
        let model = try await Fixtures.model(try SharedFolder.model("yolov8n-seg-int8-320.onnx"))
        #expect(model.task == .segment)
        let picture = try await SharedFolder.photo("bus.jpg")
        let found = try await model.predict([picture])[0].detections
        let bus = try #require(found.first { $0.classID == 5 })
        let mask = try #require(bus.mask)
        #expect(mask.size == picture.size)
        // Between the windows is bus, above the roof is not; most of the box is bus.
        #expect(mask.contains(x: 400, y: 450))
        #expect(!mask.contains(x: 400, y: 60))
        #expect((0.5...1).contains(Float(mask.area) / bus.box.area))
        for person in found where person.classID == 0 {
            let mask = try #require(person.mask)
            #expect((0.3...1).contains(Float(mask.area) / person.box.area))
        }
    }

    @Test("give the same boxes whichever way the camera was held")
    func orientations() async throws {
        let model = try await Fixtures.model(try SharedFolder.model("yolov5n-coco-fp16-640.onnx"))
        var upright: [Detection] = []
        for orientation in 1...8 {
            let picture = try await SharedFolder.photo("exif_portrait_\(orientation).jpg")
            // What is found with less certainty comes and goes with the noise of the files.
            let found = try await model.predict([picture], options: .init(confidence: 0.5))[0].detections
            if orientation == 1 { upright = found }
            try #require(!upright.isEmpty)
            for detection in upright {
                let partner = found.contains {
                    $0.classID == detection.classID && $0.box.intersectionOverUnion(detection.box) >= 0.9
                }
                #expect(partner, "orientation \(orientation): \(detection)")
            }
        }
    }
}
