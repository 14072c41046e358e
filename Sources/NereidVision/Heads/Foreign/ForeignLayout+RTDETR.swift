// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// The own exports of RT-DETR, D-FINE and DEIM: a second input holds the picture's size.
    static let rtdetr = ForeignLayout(
        name: "RT-DETR, D-FINE or DEIM (their own export, with the picture's size as a second input)",
        advice: "RT-DETR as Ultralytics exports it is served (head: rtdetr)"
    ) { evidence in
        guard evidence.inputNames.count > 1 else { return nil }
        if let name = evidence.inputNames.first(where: { $0 == "orig_target_sizes" || $0 == "orig_size" }) {
            return "it has an input ‘\(name)’"
        }
        return evidence.hasOutputs("labels", "boxes", "scores", others: 1)
            ? "it has two inputs, and outputs called labels, boxes and scores" : nil
    }
}
