// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Whether a graph's metadata can be read as what they are.
///
/// A value that is there and can't be read must not count as one that is missing: the network would be another one. In a
/// graph that was made of a checkpoint it is an error; what other exporters write is warned of.
struct MetadataCheck {
    /// What is to be said of values that were passed over.
    private(set) var warnings: [String] = []

    private typealias Key = HeadEvidence.Key

    /// - Throws: ``VisionError/unreadableMetadata(model:key:value:expected:)``.
    init(_ metadata: [String: String], model: String) throws(VisionError) {
        let isOwn = metadata[Key.layout] != nil
        for (key, rule) in Self.rules.sorted(by: { $0.key < $1.key }) {
            guard let value = metadata[key], !rule.accepts(value) else { continue }
            guard isOwn || key.hasPrefix("nereid.") else {
                warnings.append(
                    "the metadata's ‘\(key)’ (‘\(value.excerpt(60))’) is not \(rule.expected); it is passed over"
                )
                continue
            }
            throw .unreadableMetadata(model: model, key: key, value: value.excerpt(60), expected: rule.expected)
        }
        if isOwn, let names = metadata["names"], FileLabels(names) == nil {
            throw .unreadableMetadata(
                model: model,
                key: "names",
                value: names.excerpt(60),
                expected: "a dictionary from class number to name"
            )
        }
        warnings += Self.stated(metadata)
    }

    /// What the converter of a checkpoint says in the graph.
    private static func stated(_ metadata: [String: String]) -> [String] {
        guard case .list(let elements) = metadata[Key.warnings].flatMap(PythonLiteral.init(parsing:)) else { return [] }
        return elements.prefix(16).map { if case .string(let text) = $0 { text.excerpt(400) } else { "" } }
    }

    private struct Rule {
        let expected: String
        let accepts: @Sendable (String) -> Bool
    }

    private static func word(_ words: [String]) -> Rule {
        Rule(expected: "one of \(words.joined(separator: ", "))") { words.contains($0) }
    }

    private static func numbers(_ expected: String, _ accepts: @escaping @Sendable ([Double]) -> Bool) -> Rule {
        Rule(expected: expected) { PythonLiteral(parsing: $0)?.numbers.map(accepts) ?? false }
    }

    private static let rules: [String: Rule] = {
        var rules: [String: Rule] = [:]
        rules["task"] = word(VisionTask.allCases.map(\.rawValue))
        rules["stride"] = numbers("a number of pixels above zero") { numbers in
            !numbers.isEmpty && numbers.allSatisfy { $0 >= 1 && $0 <= 4096 }
        }
        rules["imgsz"] = numbers("a side or [height, width]") { sides in
            (1...2).contains(sides.count) && sides.allSatisfy { $0 >= 1 && $0 <= 65_536 && $0 == $0.rounded() }
        }
        rules["kpt_shape"] = numbers("[points, values of each]") { shape in
            shape.count == 2 && shape.allSatisfy { $0 >= 1 && $0 == $0.rounded() }
        }
        rules[Key.layout] = word([
            "yolov5.maps", "yolov8.maps", "decoded", "probabilities", "detectron2.retinanet", "detectron2.rcnn",
            "detectron2.boxes", "detectron2.masks",
        ])
        rules[Key.anchors] = Rule(expected: "a list of [width, height] for each level") {
            PythonLiteral(parsing: $0)?.pairs != nil
        }
        rules[Key.suppression] = word(["nms", "none"])
        rules[Key.preprocessing] = word(["yolov5", "ultralytics"])
        rules[Key.channels] = word(["rgb", "bgr"])
        rules[Key.scores] = word(["sigmoid", "softmax"])
        rules[Key.mean] = numbers("three numbers") { $0.count == 3 }
        rules[Key.standardDeviation] = numbers("three numbers above zero") { numbers in
            numbers.count == 3 && numbers.allSatisfy { $0 > 0 }
        }
        rules[Key.edges] = numbers("the shorter and the longer side") { sides in
            sides.count == 2 && sides.allSatisfy { $0 >= 1 && $0 <= 16_384 }
        }
        return rules
    }()
}
