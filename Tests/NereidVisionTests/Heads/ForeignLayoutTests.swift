// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

@Suite("Layouts that are not served")
struct ForeignLayoutTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let inputs: [TensorDescription]
        let outputs: [TensorDescription]
        var testDescription: String { "\(name): \(outputs.map(\.name).joined(separator: ", "))" }

        init(_ name: String, second: TensorDescription? = nil, _ outputs: TensorDescription...) {
            self.name = name
            inputs =
                [TensorDescription(name: "images", elementType: .float32, shape: [1, 3, 64, 64].map { .fixed($0) })]
                + (second.map { [$0] } ?? [])
            self.outputs = outputs
        }
    }

    private static func real(_ name: String, _ shape: Int...) -> TensorDescription {
        TensorDescription(
            name: name,
            elementType: .float32,
            shape: shape.map { $0 < 0 ? .free(name: "n") : .fixed($0) }
        )
    }

    private static func whole(_ name: String, _ shape: Int...) -> TensorDescription {
        TensorDescription(name: name, elementType: .int64, shape: shape.map { $0 < 0 ? .free(name: "n") : .fixed($0) })
    }

    static let samples = [
        Sample(
            "TensorFlow",
            real("detection_boxes", 1, 100, 4),
            real("detection_classes", 1, 100),
            real("detection_scores", 1, 100),
            real("num_detections", 1)
        ),
        Sample("TensorFlow", real("detection_boxes:0", 1, 100, 4), real("detection_scores:0", 1, 100)),
        Sample(
            "YOLOv7 end to end",
            whole("num_dets", 1, 1),
            real("det_boxes", 1, 20, 4),
            real("det_scores", 1, 20),
            whole("det_classes", 1, 20)
        ),
        Sample("MMDetection", real("dets", 1, 20, 5), whole("labels", 1, 20)),
        Sample("MMDetection", real("dets", 1, 20, 5), whole("labels", 1, 20), real("masks", 1, 20, 28, 28)),
        Sample("RF-DETR", real("dets", 1, 60, 4), real("labels", 1, 60, 8)),
        Sample("RF-DETR", real("dets", 1, 60, 4), real("labels", 1, 60, 8), real("masks", 1, 60, 16, 16)),
        Sample("DETR", real("logits", 1, 50, 8), real("pred_boxes", 1, 50, 4)),
        Sample("torchvision", real("boxes", -1, 4), whole("labels", -1), real("scores", -1)),
        Sample("torchvision", real("boxes", -1, 4), real("scores", -1), whole("labels", -1)),
        Sample("YOLO-NAS", real("graph2_flat_predictions", -1, 7)),
        Sample(
            "YOLO-NAS",
            whole("num_predictions", 1, 1),
            real("pred_boxes", 1, 50, 4),
            real("pred_scores", 1, 50),
            whole("pred_classes", 1, 50)
        ),
        Sample("DeepStream-Yolo", real("boxes", 1, 84, 4), real("scores", 1, 84, 1), real("classes", 1, 84, 1)),
        Sample(
            "RT-DETR, D-FINE or DEIM",
            second: whole("orig_target_sizes", 1, 2),
            whole("labels", 1, 20),
            real("boxes", 1, 20, 4),
            real("scores", 1, 20)
        ),
        Sample(
            "PP-YOLOE",
            second: real("scale_factor", 1, 2),
            real("multiclass_nms3_0.tmp_0", 20, 6),
            whole("multiclass_nms3_0.tmp_2", 1)
        ),
        Sample("a detector that takes the picture's size", second: real("image_shape", 1, 2), real("out", 1, 84, 84)),
    ]

    @Test("are refused by their names before they are run", arguments: samples)
    func names(sample: Sample) async throws {
        let graph = GraphDescription(inputs: sample.inputs, outputs: sample.outputs)
        let refusal = ForeignLayout.refusal(HeadEvidence(declaredBy: graph), model: "reef")
        guard case .unsupportedLayout(let model, let layout, let because, let advice) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(model == "reef")
        #expect(layout.hasPrefix(sample.name))
        #expect(!because.isEmpty && !advice.isEmpty)
        // By the model itself too, which runs nothing.
        let error = await #expect(throws: VisionError.self) {
            try await VisionModel.load(
                GraphSource(name: "reef", content: .bytes([])),
                on: ScriptedEngine(graph: graph),
                imaging: Fixtures.imaging,
                logger: Fixtures.logger
            )
        }
        #expect(error == refusal)
    }

    @Test("have no names that served layouts have")
    func served() {
        let face = GraphDescription(
            inputs: [Self.real("input", 1, 3, 240, 320)],
            outputs: [Self.real("scores", 1, 4420, 2), Self.real("boxes", 1, 4420, 4)]
        )
        #expect(ForeignLayout.refusal(HeadEvidence(declaredBy: face), model: "reef") == nil)
        let masks = GraphDescription(
            inputs: [Self.real("images", 1, 3, 640, 640)],
            outputs: [Self.real("output0", 1, 116, 8400), Self.real("output1", 1, 32, 160, 160)]
        )
        #expect(ForeignLayout.refusal(HeadEvidence(declaredBy: masks), model: "reef") == nil)
    }

    @Test("are told by shapes when they are maps")
    func maps() throws {
        for (shapes, name) in [
            ([[1, 255, 80, 80], [1, 255, 40, 40], [1, 255, 20, 20]], "raw maps"),
            ([[1, 3, 80, 80, 85], [1, 3, 40, 40, 85]], "raw maps"), ([[1, 257, 257, 21]], "semantic segmentation"),
            ([[1, 21, 64, 64]], "semantic segmentation"),
        ] {
            let run = try shapes.map { try Tensor(zeros: .float32, shape: $0) }
            let outcome = try HeadRecognitionTests.outcome(HeadEvidence(runs: [run, run]))
            #expect(outcome.contains(name), "\(outcome)")
        }
    }

    @Test("say what to do")
    func advice() {
        for layout in ForeignLayout.all { #expect(!layout.advice.hasSuffix(".") && layout.advice.count > 20) }
        #expect(Set(ForeignLayout.all.map(\.name)).count >= 15)
    }
}
