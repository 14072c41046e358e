// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// Several maps that nothing describes: a detector that was exported without its decoding.
    static let rawMaps = ForeignLayout(
        name: "raw maps without decoding",
        advice:
            "Export with the head's decoding, so that the graph gives boxes; Nereid's own graphs describe their maps"
    ) { evidence in
        guard evidence.isRun, evidence.outputs.count >= 2,
            evidence.outputs.allSatisfy({ (4...5).contains($0.shape.count) })
        else { return nil }
        return "all of its \(evidence.outputs.count) outputs are maps"
    }

    /// One map as large as a picture: classes of pixels.
    static let semanticSegmentation = ForeignLayout(
        name: "semantic segmentation, which marks pixels without objects",
        advice: "Serve a model that finds objects; for their pixels, one of the task segment"
    ) { evidence in
        guard evidence.isRun, evidence.outputs.count == 1, evidence.outputs[0].shape.count == 4,
            evidence.outputs[0].shape.dropFirst().filter({ $0 > 8 }).count >= 2
        else { return nil }
        return "its only output is a map, \(evidence.outputs[0])"
    }
}
