// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import Testing

@testable import NereidVision

/// What the original framework computes, in reference/yolov5/yolov5n-coco.json; its README.md says how it was made.
@Suite("YOLOv5n against its own framework", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct ReferenceTests {
    struct Reference: Decodable {
        let runs: [Run]
    }

    struct Run: Decodable {
        let mode: String
        let photo: String
        let detections: [Expected]
    }

    struct Expected: Decodable {
        let boxXyxy: [Float]
        let score: Float
        let classId: Int
        let robust: Bool?

        var box: Box { Box(x1: boxXyxy[0], y1: boxXyxy[1], x2: boxXyxy[2], y2: boxXyxy[3]) }
    }

    @Test("finds every detection that survives another decoder, where the framework finds it")
    func robustDetections() async throws {
        let reference = try SharedFolder.json(Reference.self, "reference/yolov5/yolov5n-coco.json")
        let model = try await Fixtures.model(try SharedFolder.model("yolov5n-coco-fp16-640.onnx"))
        let options = PredictionOptions(confidence: 0.1, iou: 0.45, maxDetections: 1000, classAgnostic: true)
        let runs = reference.runs.filter { $0.mode == "square640" }
        try #require(!runs.isEmpty)
        for run in runs {
            // The framework's pictures were opened without regard to their orientation.
            let picture = try await SharedFolder.photo(run.photo, appliesOrientation: false)
            let found = try await model.predict([picture], options: options)[0].detections
            for expected in run.detections where expected.robust == true {
                // Half-precision weights and another resizer: more than a rounding error, less than a detail.
                let partner = found.contains { detection in
                    detection.classID == expected.classId && detection.box.isNear(expected.box, within: 1.5)
                        && abs(detection.score - expected.score) < 0.02
                }
                #expect(partner, "\(run.photo): class \(expected.classId) at \(expected.box) in \(found)")
            }
        }
    }
}
