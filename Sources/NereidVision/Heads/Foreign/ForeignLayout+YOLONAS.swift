// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    private static let advice = "Serve a model of another framework; no export of this one is served yet"

    /// YOLO-NAS with suppression, told by the names of its outputs.
    static let yoloNAS = ForeignLayout(name: "YOLO-NAS (with its suppression)", advice: advice) { evidence in
        if let output = evidence.outputs.first(where: { $0.name.hasSuffix("flat_predictions") }) {
            return "it has an output ‘\(output.name)’"
        }
        func has(_ name: String) -> Bool { evidence.outputs.contains { $0.name.hasSuffix(name) } }
        return has("pred_boxes") && has("pred_scores") && has("pred_classes")
            ? "its outputs are called pred_boxes, pred_scores and pred_classes" : nil
    }

    /// The same, told by its rows: picture, corners, score, class.
    static let yoloNASRows = ForeignLayout(name: "YOLO-NAS (with its suppression)", advice: advice) { evidence in
        guard evidence.isRun, evidence.outputs.count == 1, evidence.outputs[0].shape.count == 2,
            evidence.outputs[0].shape[1] == 7
        else { return nil }
        let observed = evidence.observedRows()
        guard !observed.isEmpty else { return nil }
        do throws(HeadMisfit) {
            try observed.requireProbabilities(5...5)
            try observed.requireClassNumbers(6)
        } catch { return nil }
        return "it has rows of picture, corners, score and class"
    }

    /// Detectors without suppression whose boxes are corners in pixels.
    static let boxesAndScores = ForeignLayout(
        name: "YOLO-NAS or DAMO-YOLO (without suppression)",
        advice: advice
    ) { evidence in
        guard let (boxes, scores) = evidence.boxesAndOthers(),
            evidence.outputs[boxes].shape[1] == evidence.outputs[scores].shape[1]
        else { return nil }
        let classes = evidence.outputs[scores].shape[2]
        do throws(HeadMisfit) {
            try evidence.observedRows(output: scores).requireProbabilities(0..<classes)
            try evidence.observedRows(output: boxes).requireCorners()
        } catch { return nil }
        return "it has corners, and probabilities of \(classes) classes without a background"
    }
}
