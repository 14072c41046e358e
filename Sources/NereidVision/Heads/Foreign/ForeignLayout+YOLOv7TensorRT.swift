// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// YOLOv7's `--end2end` without `--max-wh`, and other exports for TensorRT's suppression.
    static let yolov7TensorRT = ForeignLayout(
        name: "YOLOv7 end to end for TensorRT (num_dets, det_boxes, det_scores, det_classes)",
        advice: "Export with ‘--end2end --max-wh 640’, which gives rows of seven values, or without ‘--end2end’"
    ) { evidence in
        evidence.hasOutputs("num_dets", "det_boxes", "det_scores", "det_classes", others: 1)
            ? "its outputs are called num_dets, det_boxes, det_scores and det_classes" : nil
    }
}
