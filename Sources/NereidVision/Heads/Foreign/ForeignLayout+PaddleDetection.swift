// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// PaddleDetection's exports with suppression: a second input says by what a picture was scaled.
    static let paddleDetection = ForeignLayout(
        name: "PP-YOLOE (PaddleDetection, with its suppression)",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        if evidence.inputNames.contains("scale_factor") { return "it has an input ‘scale_factor’" }
        return evidence.outputs.first { $0.name.hasPrefix("multiclass_nms") }.map { "it has an output ‘\($0.name)’" }
    }

    /// The same without suppression: scores `[N, C, A]` and corners `[N, A, 4]`.
    static let ppyoloe = ForeignLayout(
        name: "PP-YOLOE (PaddleDetection, without its suppression)",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        guard let (boxes, scores) = evidence.boxesAndOthers() else { return nil }
        let rows = evidence.outputs[boxes].shape[1]
        guard evidence.outputs[scores].shape[2] == rows, evidence.outputs[scores].shape[1] != rows else { return nil }
        return "it has \(rows) boxes, and scores class by class"
    }
}
