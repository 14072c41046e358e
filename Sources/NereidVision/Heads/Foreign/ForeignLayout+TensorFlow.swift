// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignLayout {
    /// TensorFlow's object detection API: uint8 pictures, corners as fractions with y first, classes from 1.
    static let tensorFlow = ForeignLayout(
        name: "TensorFlow object detection",
        advice: "Serve a model of another framework; no export of this one is served yet"
    ) { evidence in
        func has(_ name: String) -> Bool { evidence.outputs.contains { $0.name.hasPrefix(name) } }
        return has("detection_boxes") && has("detection_scores")
            ? "its outputs are called detection_boxes and detection_scores" : nil
    }
}
