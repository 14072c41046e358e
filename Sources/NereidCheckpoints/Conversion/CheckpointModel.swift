// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The model in a checkpoint, as the frameworks find it, with what the checkpoint says about it.
struct CheckpointModel {
    /// The whole model.
    let module: Module
    /// Its layers, in order; the last is the head.
    let layers: [Module]
    let framework: TrainingFramework
    private let root: CheckpointValue

    /// Looks where the frameworks put a model: under `ema`, the mean over the last steps of training, when it is there; else
    /// under `model`; or in the file's root. A wrapper for training on several devices is taken off.
    ///
    /// Source: `attempt_load` in YOLOv5's `models/experimental.py`; `load_checkpoint` in `ultralytics/nn/tasks.py`.
    ///
    /// - Throws: ``ConversionError``.
    init(_ checkpoint: Checkpoint) throws {
        root = checkpoint.root
        let value = try Self.modelValue(in: checkpoint.root)
        var module = try Module(value, path: "")
        // A wrapper in a wrapper is already more than any framework writes.
        for _ in 0..<2 {
            guard Self.wrappers.contains(module.className) else { break }
            module = try module.unwrapped("module")
        }
        self.module = module
        guard let sequence = try module.optionalChild("model"), sequence.className == "Sequential" else {
            throw ConversionError.unsupportedModule(className: module.qualifiedName, path: module.path)
        }
        try module.checkTree()
        layers = try sequence.children
        guard layers.count > 1 else { throw sequence.inconsistent("it has \(layers.count) layers") }
        let isUltralytics = [module, layers[layers.count - 1]].contains { $0.qualifiedName.hasPrefix("ultralytics.") }
        framework = isUltralytics ? .ultralytics : .yolov5
    }

    private static let wrappers: Set<String> = ["DistributedDataParallel", "DataParallel"]

    private static func modelValue(in root: CheckpointValue) throws -> CheckpointValue {
        guard let entries = root.entries else {
            if root.object != nil { return root }
            throw ConversionError.modelMissing(found: "it is \(root.description)")
        }
        if let value = [root["ema"], root["model"]].compactMap(\.self).first(where: { !$0.isNone }) {
            guard let weights = value.entries else { return value }
            throw Self.missingArchitecture(weights)
        }
        let weights = root["state_dict"] ?? root["model_state_dict"] ?? root
        if let weights = weights.entries, 2 * weights.count(where: { $0.value.tensor != nil }) > weights.count {
            throw Self.missingArchitecture(weights)
        }
        let keys = entries.prefix(8).map { $0.key.description }
        let found = keys.isEmpty ? "it is an empty dictionary" : "its keys are \(keys.joined(separator: ", "))"
        throw ConversionError.modelMissing(found: found + (entries.count > keys.count ? ", …" : ""))
    }

    private static func missingArchitecture(_ weights: CheckpointValue.Entries) -> ConversionError {
        let first = weights.first.map { ", the first being \($0.key.description)" } ?? ""
        return .architectureMissing(found: "a dictionary of \(weights.count) entries\(first)")
    }

    // MARK: What is said about it

    /// The names of the classes, of which the network has so many.
    func labels(count: Int) -> CheckpointLabels {
        CheckpointLabels(module.value("names") ?? root["names"], count: count)
    }

    /// The height and width that the network was trained with, where the checkpoint says it.
    var inputSize: ConvertedGraph.InputSize? {
        let settings = [root["train_args"], module.value("args"), root["opt"]].compactMap(\.self)
        let stated = settings.lazy.compactMap { $0["imgsz"] ?? $0.attribute("imgsz") }.first { !$0.isNone }
        return Self.size(stated) ?? transformSize
    }

    /// The size that pictures for classification are cropped to.
    private var transformSize: ConvertedGraph.InputSize? {
        guard let steps = module.value("transforms")?.attribute("transforms")?.elements else { return nil }
        for step in steps.prefix(16) where step.object?.name == "CenterCrop" {
            if let height = step.attribute("h")?.integer, let width = step.attribute("w")?.integer {
                return Self.size(height, width)
            }
            return Self.size(step.attribute("size"))
        }
        return nil
    }

    private static func size(_ value: CheckpointValue?) -> ConvertedGraph.InputSize? {
        if let both = value?.integer { return size(both, both) }
        guard let sides = value?.integers, sides.count <= 2, let first = sides.first, let last = sides.last else {
            return nil
        }
        return size(first, last)
    }

    private static func size(_ height: Int, _ width: Int) -> ConvertedGraph.InputSize? {
        let sensible = 1...16384
        guard sensible.contains(height), sensible.contains(width) else { return nil }
        return ConvertedGraph.InputSize(height: height, width: width)
    }
}
