// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// Older exports of DeepStream-Yolo: three outputs.
    static let deepStreamOutputs = ForeignLayout(
        name: "DeepStream-Yolo (boxes, scores and classes in three outputs)",
        advice: "Export with a newer version, whose rows of six values are served (head: deepstream)"
    ) { evidence in
        evidence.hasOutputs("boxes", "scores", "classes") ? "its outputs are called boxes, scores and classes" : nil
    }
}
