// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

/// Exports that people had trouble with: each gives the right boxes, or is refused by its name.
@Suite("Exports from the field", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct FieldCaseTests {
    struct Served: Sendable, CustomTestStringConvertible {
        let path: String
        let kind: HeadKind
        var picture = "wide.png"
        /// Left and top of the red, the green and the blue block.
        var corners: [SIMD2<Float>] = [[64, 32], [128, 96], [224, 64]]
        var size = SIMD2<Float>(32, 32)
        var testDescription: String { path }
    }

    private static let stretched: [SIMD2<Float>] = [[64, 16], [128, 48], [224, 32]]
    private static let wide: [SIMD2<Float>] = [[32, 16], [64, 48], [112, 32]]

    static let served = [
        Served(path: "normalised-boxes/v8-normalised.onnx", kind: .yolov8),
        Served(path: "normalised-boxes/v5-tf-normalised.onnx", kind: .yolov5),
        Served(path: "rows-not-raw-yolox/yolox-decoded.onnx", kind: .yoloxDecoded),
        Served(
            path: "rows-not-raw-yolox/v8-transposed640.onnx",
            kind: .yolov8Rows,
            picture: "wide640.png",
            corners: wide,
            size: [16, 16]
        ),
        Served(
            path: "rows-not-raw-yolox/deepstream-8400.onnx",
            kind: .deepStream,
            picture: "wide640.png",
            corners: wide,
            size: [16, 16]
        ),
        Served(path: "yolov6-documented-way/yolov6.onnx", kind: .yolov5),
        Served(path: "yolov7-end2end/yolov7-end2end.onnx", kind: .yolov7EndToEnd),
        Served(
            path: "rtdetr-ultralytics-rows/ultra-rtdetr-rows.onnx",
            kind: .rtdetr,
            picture: "stretch.png",
            corners: stretched,
            size: [32, 16]
        ),
        Served(
            path: "rtdetr-ultralytics-rows/ultra-rtdetr2.onnx",
            kind: .rtdetr,
            picture: "stretch.png",
            corners: Array(stretched.prefix(2)),
            size: [32, 16]
        ),
        Served(
            path: "rtdetr-ultralytics-rows/ultra-rtdetr3.onnx",
            kind: .rtdetr,
            picture: "stretch.png",
            corners: stretched,
            size: [32, 16]
        ),
    ]

    private static func graph(_ path: String) throws -> GraphSource {
        GraphSource(name: path, content: .file(path: try SharedFolder.path(path)))
    }

    @Test("give the right boxes", arguments: served)
    func boxes(sample: Served) async throws {
        let path = try SharedFolder.path("cases/\(sample.path)")
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        let bytes = ByteBuffer(bytes: try Data(contentsOf: folder.appendingPathComponent(sample.picture)))
        let picture = try await Fixtures.imaging.decode(bytes)
        let found = try await Fixtures.model(Self.graph("cases/\(sample.path)"))
        let asked = try await Fixtures.model(Self.graph("cases/\(sample.path)")) { $0.head = sample.kind }
        for model in [found, asked] {
            #expect(model.headKind == sample.kind)
            let detections = try await model.predict([picture], options: .init(confidence: 0.5))[0].detections
            #expect(detections.count == sample.corners.count)
            for (classID, corner) in sample.corners.enumerated() {
                let box = Box(
                    x1: corner.x,
                    y1: corner.y,
                    x2: corner.x + sample.size.x,
                    y2: corner.y + sample.size.y
                )
                #expect(detections.contains { $0.classID == classID && $0.box.isNear(box, within: 1.5) })
            }
        }
    }

    static let refused = [
        ("cases/suppressed-layouts/mmdeploy.onnx", "MMDetection"),
        ("cases/suppressed-layouts/torchvision.onnx", "torchvision"),
        ("cases/suppressed-layouts/four-outputs.onnx", "YOLOv7 end to end"),
        ("cases/suppressed-two-inputs-tf/dfine.onnx", "RT-DETR, D-FINE or DEIM"),
        ("cases/suppressed-two-inputs-tf/ppyoloe.onnx", "PP-YOLOE"),
        ("cases/suppressed-two-inputs-tf/tfod.onnx", "TensorFlow"),
        ("cases/two-outputs-not-ssd/rfdetr.onnx", "RF-DETR"),
        ("cases/two-outputs-not-ssd/yolonas-boxes-first.onnx", "YOLO-NAS"),
        ("cases/two-outputs-not-ssd/yolonas-scores-first.onnx", "YOLO-NAS"),
        ("reference/onnx-layouts/mmdeploy.onnx", "MMDetection"),
        ("reference/onnx-layouts/optimum-detr.onnx", "DETR"),
        ("reference/onnx-layouts/rfdetr-nano-export.onnx", "RF-DETR"),
        ("reference/onnx-layouts/rtdetr-official.onnx", "RT-DETR, D-FINE or DEIM"),
        ("reference/onnx-layouts/tf2-od.onnx", "TensorFlow"),
        ("reference/onnx-layouts/torchvision-fasterrcnn.onnx", "torchvision"),
        ("reference/onnx-layouts/yolonas-flat.onnx", "YOLO-NAS"),
        ("reference/onnx-layouts/yolonas-raw.onnx", "YOLO-NAS"),
        ("reference/onnx-layouts/yolov7-end2end.onnx", "YOLOv7 end to end"),
        ("models/deeplabv3-voc21-257.onnx", "semantic segmentation"),
    ]

    @Test("are refused by their names", arguments: refused)
    func refusal(path: String, name: String) async throws {
        let error = await #expect(throws: VisionError.self) { try await Fixtures.model(Self.graph(path)) }
        guard case .unsupportedLayout(_, let layout, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(layout.hasPrefix(name))
    }

    @Test("are read by what networks that were really exported give")
    func exported() async throws {
        let yolov7 = try await Fixtures.model(Self.graph("reference/onnx-layouts/yolov7-end2end-ort.onnx"))
        #expect(yolov7.headKind == .yolov7EndToEnd)
        let ultralytics = try await Fixtures.model(Self.graph("reference/onnx-layouts/ultralytics-nms.onnx"))
        #expect(ultralytics.headKind == .endToEnd)
    }
}
