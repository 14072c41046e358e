// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// torchvision's detectors: corners in pixels of the picture, labels from 1, scores; as many rows as objects.
    static let torchvision = ForeignLayout(
        name: "torchvision",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        guard evidence.hasOutputs("boxes", "labels", "scores", others: 1), let labels = evidence.output("labels"),
            !labels.isReal
        else { return nil }
        return "its outputs are called boxes, labels and scores"
    }
}
