// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// MMDetection through mmdeploy: `dets` of corners and score, `labels` of whole numbers.
    static let mmdeploy = ForeignLayout(
        name: "MMDetection (mmdeploy)",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        guard evidence.hasOutputs("dets", "labels", others: 1), let labels = evidence.output("labels"), !labels.isReal
        else {
            return nil
        }
        return "its outputs are called dets and labels, and labels holds whole numbers"
    }
}
