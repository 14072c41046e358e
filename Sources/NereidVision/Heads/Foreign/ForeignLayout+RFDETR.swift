// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// RF-DETR: `dets` of centre and size as fractions, `labels` of logits.
    static let rfdetr = ForeignLayout(
        name: "RF-DETR",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        guard evidence.hasOutputs("dets", "labels", others: 1), evidence.output("labels")?.isReal == true else {
            return nil
        }
        return "its outputs are called dets and labels, and labels holds logits"
    }
}
