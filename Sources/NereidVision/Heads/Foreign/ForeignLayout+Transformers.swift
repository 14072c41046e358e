// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// Detectors of the library transformers: `logits` and `pred_boxes`.
    static let transformers = ForeignLayout(
        name: "DETR (an export of the library transformers: DETR, Deformable DETR, YOLOS, RT-DETR, D-FINE)",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        evidence.output("logits") != nil && evidence.output("pred_boxes") != nil
            ? "its outputs are called logits and pred_boxes" : nil
    }

    /// The same kind without the names: boxes as fractions, and logits of as many rows.
    static let queries = ForeignLayout(
        name: "DETR or RF-DETR",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        guard let (boxes, scores) = evidence.boxesAndOthers(),
            evidence.outputs[boxes].shape[1] == evidence.outputs[scores].shape[1],
            let range = evidence.observedRows(output: scores).range(0..<evidence.outputs[scores].shape[2]),
            range.lowerBound < -1, evidence.observedRows(output: boxes).unit == .fractions
        else { return nil }
        return "it has boxes as fractions of the input, and logits from \(range.lowerBound) to \(range.upperBound)"
    }
}
