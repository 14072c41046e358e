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

    @Test(
        "are told from networks that detect nothing",
        arguments: ["mobilenetv2-imagenet-int8-224.onnx", "deeplabv3-voc21-257.onnx"]
    )
    func others(file: String) async throws {
        let graph = try SharedFolder.model(file)
        let error = await #expect(throws: VisionError.self) { try await Fixtures.model(graph) }
        #expect(error?.description.contains(file) == true)
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
