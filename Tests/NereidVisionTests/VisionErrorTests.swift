// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidVision
import Testing

@Suite("Vision errors")
struct VisionErrorTests {
    static let errors: [(VisionError, [String])] = [
        (
            .unsupportedInput(model: "reef", inputs: "x int64[3]", reason: "it has 3 dimensions"),
            ["x int64[3]", "it has 3 dimensions", "Nereid serves graphs with one input"]
        ),
        (
            .unknownHead(model: "reef", outputs: "y [1, 1000]", tried: ["yolov8: no", "ssd: no"]),
            ["y [1, 1000]", "yolov8: no; ssd: no", "say so in the model's settings"]
        ),
        (
            .ambiguousHead(model: "reef", outputs: "y [1, 8]", candidates: ["‘head: a’ (x)", "‘head: b’ (z)"]),
            ["y [1, 8]", "‘head: a’ (x); ‘head: b’ (z)", "into the model's settings", "labels: …"]
        ),
        (
            .unsupportedLayout(model: "reef", layout: "RF-DETR", because: "it has logits", advice: "Take another"),
            ["RF-DETR", "it has logits", "not served", "Take another. If", "head: …"]
        ),
        (
            .headDoesNotFit(model: "reef", head: "yolox", outputs: "y [1]", reason: "too few"),
            ["‘yolox’", "y [1]", "too few", "Remove ‘head’"]
        ),
        (
            .taskDoesNotFit(model: "reef", task: "pose", does: "detect"),
            ["‘task: pose’", "the task ‘detect’", "Remove ‘task’"]
        ),
        (
            .labelCount(model: "reef", labels: 2, classes: 3),
            ["3 classes", "2 labels", "Give one label for each class"]
        ),
        (.inputSize(model: "reef", asked: "1×1", takes: "more"), ["1×1", "it takes more", "Correct its settings"]),
        (.unexpectedOutput(model: "reef", reason: "rows of 7"), ["another shape", "rows of 7"]),
        (
            .masksTooLarge(model: "reef", objects: 12, pixels: 9, limit: 8),
            ["12 objects", "9 pixels", "at most 8", "max_mask_pixels", "max_detections", "confidence"]
        ),
        (.unknownClass(model: "reef", name: "cod", classes: ["urchin"]), ["no class ‘cod’", "Its classes: urchin"]),
    ]

    @Test("say what happened, to which model, and what to do", arguments: errors)
    func text(error: VisionError, parts: [String]) {
        for part in parts + ["‘reef’"] { #expect(error.description.contains(part)) }
    }

    @Test("do not list hundreds of classes")
    func manyClasses() {
        let error = VisionError.unknownClass(model: "reef", name: "cod", classes: (0..<691).map { "class \($0)" })
        #expect(error.description.hasSuffix("class 38, class 39, … (691 in all)"))
    }
}
