// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The name of a tensor in weights of Caffe2's Detectron, such as `res2_0_branch2a_bn_s`, and what Detectron2 calls it.
///
/// Those weights have the background as their first class, Detectron2 has it last or not at all, so that some rows move.
///
/// Source: `convert_c2_detectron_names` in Detectron2's `checkpoint/c2_model_loading.py`.
struct CaffeName: Equatable {
    /// Which rows of a tensor are meant.
    enum Rows: Equatable {
        case all
        /// All but the first ones.
        case without(Int)
        /// The first row comes last.
        case firstLast
    }

    /// What Detectron2 calls it, without the beginning that says which part of the network it belongs to.
    let name: String
    let rows: Rows

    /// Whether only Caffe2's Detectron names tensors like this.
    static func isTelling(_ name: String) -> Bool {
        name.hasSuffix("_bn_s") || name.hasSuffix("_branch2a_w") || name == "conv1_w"
    }

    init(_ original: String) {
        var words = original.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
        if words.first == "pred", words.count == 2 { words[0] = "linear" }
        let parameter = Self.parameter(&words)
        var path = words.joined(separator: ".")
        if path.hasPrefix("res.conv1.norm") { path = String(path.dropFirst("res.".count)) }
        if path.hasPrefix("conv1.") || path == "conv1" { path = "stem." + path }
        for (old, new) in [
            (".branch1", ".shortcut"), (".branch2a", ".conv1"), (".branch2b", ".conv2"), (".branch2c", ".conv3"),
        ] {
            if let range = Self.range(of: old, in: path) { path.replaceSubrange(range, with: new) }
        }
        path = Self.pyramid(path) ?? Self.head(path)
        name = parameter.isEmpty ? path : "\(path).\(parameter)"
        rows =
            switch path {
            case "bbox_pred": .without(4)
            case "mask_head.predictor": .without(1)
            case "cls_score": .firstLast
            default: .all
            }
    }

    /// Takes the last words, which say what of a layer it is, and gives Detectron2's word for it. A normalisation becomes a
    /// part of the layer's path.
    private static func parameter(_ words: inout [String]) -> String {
        let kinds: [([String], String)] = [
            (["s"], "weight"), (["b"], "bias"), (["bias"], "bias"), (["gamma"], "weight"), (["beta"], "bias"),
            (["rm"], "running_mean"), (["running", "mean"], "running_mean"), (["riv"], "running_var"),
            (["running", "var"], "running_var"),
        ]
        for (ending, parameter) in kinds
        where words.count > ending.count + 1 && words.suffix(ending.count) == ending[...] {
            let normalisation = words[words.count - ending.count - 1]
            guard normalisation == "bn" || normalisation == "gn" else { continue }
            words.removeLast(ending.count + 1)
            words.append("norm")
            return parameter
        }
        switch words.last {
        case "w":
            words.removeLast()
            return "weight"
        case "b":
            words.removeLast()
            return "bias"
        default:
            return ""
        }
    }

    /// `fpn.inner.res2.2.sum.lateral` is a lateral convolution, `fpn.res2.2.sum` an output one.
    private static func pyramid(_ path: String) -> String? {
        var parts = path.split(separator: ".").map(String.init)
        guard parts.first == "fpn" else { return nil }
        let isNormalisation = parts.last == "norm"
        let isLateral = parts.dropFirst().first == "inner"
        parts.removeFirst(isLateral ? 2 : 1)
        guard let stage = parts.first, stage.hasPrefix("res"), stage.count == 4 else { return nil }
        return "fpn_\(isLateral ? "lateral" : "output")\(stage.dropFirst(3))\(isNormalisation ? ".norm" : "")"
    }

    private static func head(_ path: String) -> String {
        let names: [String: String] = [
            "conv.rpn.fpn2": "proposal_generator.rpn_head.conv",
            "conv.rpn": "proposal_generator.rpn_head.conv",
            "rpn.bbox.pred.fpn2": "proposal_generator.rpn_head.anchor_deltas",
            "rpn.bbox.pred": "proposal_generator.rpn_head.anchor_deltas",
            "rpn.cls.logits.fpn2": "proposal_generator.rpn_head.objectness_logits",
            "rpn.cls.logits": "proposal_generator.rpn_head.objectness_logits",
            "bbox.pred": "bbox_pred",
            "cls.score": "cls_score",
            "fc6": "box_head.fc1",
            "fc7": "box_head.fc2",
            "mask.fcn.logits": "mask_head.predictor",
            "conv5.mask": "mask_head.deconv",
        ]
        if let name = names[path] { return name }
        let beginnings = [
            (".[mask].fcn", "mask_head.mask_fcn"), (".mask.fcn", "mask_head.mask_fcn"), ("head.conv", "box_head.conv"),
        ]
        for (old, new) in beginnings where path.hasPrefix(old) { return new + path.dropFirst(old.count) }
        return path
    }

    private static func range(of part: String, in path: String) -> Range<String.Index>? {
        var start = path.startIndex
        while start < path.endIndex {
            if path[start...].hasPrefix(part) {
                let end = path.index(start, offsetBy: part.count)
                // A whole word of the path.
                if end == path.endIndex || path[end] == "." { return start..<end }
            }
            start = path.index(after: start)
        }
        return nil
    }
}
