// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The tensors of a Detectron2 checkpoint by their names, with an account of which the network has asked for.
///
/// What is missing or has another shape is written down and replaced by zeros, so that everything that is wrong can be told
/// at once; ``check()`` tells it.
struct StateDictionary {
    private let file: String
    private let entries: [String: Entry]
    /// Whether a tensor may lack the beginning of its name, as in weights of Caffe2's Detectron.
    private let matchesEndings: Bool
    private var used: Set<String> = []
    private var missing: [String] = []
    private var misshapen: [String] = []

    /// A tensor and which of its rows, in which order, are meant.
    fileprivate struct Entry {
        /// What it is called in the file.
        let originalName: String
        let tensor: TensorReference
        let rows: CaffeName.Rows

        var shape: [Int] {
            guard case .without(let first) = rows, let count = tensor.shape.first else { return tensor.shape }
            return [max(count - first, 0)] + tensor.shape.dropFirst()
        }
    }

    /// Looks where Detectron2 puts weights: under `model`, or by themselves; in files of Caffe2's Detectron under `blobs`.
    ///
    /// `DetectionCheckpointer._load_file` in Detectron2's `checkpoint/detection_checkpoint.py`.
    ///
    /// - Throws: ``Detectron2Error/noWeights(file:found:)``.
    init(_ checkpoint: Checkpoint) throws(Detectron2Error) {
        file = checkpoint.file
        let root = checkpoint.root
        guard let top = root.entries else {
            throw .noWeights(file: checkpoint.file, found: "it is \(root.description)")
        }
        let model = root["model"]?.entries
        let named = model ?? root["blobs"]?.entries ?? root["state_dict"]?.entries ?? top
        var tensors: [(name: String, tensor: TensorReference)] = []
        for entry in named {
            if let name = entry.key.text, let tensor = entry.value.tensor { tensors.append((name, tensor)) }
        }
        // Momentum of the training, one for each tensor.
        tensors.removeAll { $0.name.hasSuffix("_momentum") }
        guard !tensors.isEmpty else {
            let keys = top.prefix(8).map { $0.key.description }.joined(separator: ", ")
            throw .noWeights(file: checkpoint.file, found: keys.isEmpty ? "it is empty" : "its keys are \(keys)")
        }
        let isCaffe =
            root["__author__"]?.text == "Caffe2"
            || (root["__author__"] == nil && tensors.contains { CaffeName.isTelling($0.name) })
        matchesEndings = isCaffe || root["matching_heuristics"]?.boolean == true
        // Wrappers for training on several devices put this in front of every name.
        let isWrapped = tensors.allSatisfy { $0.name.hasPrefix("module.") }
        var entries: [String: Entry] = [:]
        for (original, tensor) in tensors {
            let caffe = isCaffe ? CaffeName(original) : nil
            let name = caffe?.name ?? (isWrapped ? String(original.dropFirst("module.".count)) : original)
            entries[name] = Entry(originalName: original, tensor: tensor, rows: caffe?.rows ?? .all)
        }
        self.entries = entries
    }

    /// The shape of a tensor; `nil` when there is none of this name.
    func shape(of name: String) -> [Int]? { key(for: name).flatMap { entries[$0]?.shape } }

    /// A tensor that has to be there with this shape.
    mutating func weights(_ name: String, shape: [Int]) -> Weights {
        guard let key = key(for: name), let entry = entries[key] else {
            missing.append(name)
            return Self.zeros(shape)
        }
        used.insert(key)
        guard entry.shape == shape else {
            misshapen.append("\(entry.originalName) of shape \(entry.shape), not \(shape)")
            return Self.zeros(shape)
        }
        return Weights(shape: shape, count: shape.reduce(1, *)) { try entry.elements() }
    }

    /// The elements of a vector that has to be there.
    mutating func numbers(_ name: String, count: Int) throws -> [Float] {
        try weights(name, shape: [count]).elements()
    }

    /// The elements of a vector; `nil` when there is none of this name.
    mutating func optionalNumbers(_ name: String, count: Int) throws -> [Float]? {
        key(for: name) == nil ? nil : try numbers(name, count: count)
    }

    private static func zeros(_ shape: [Int]) -> Weights {
        // Never a network's own, so the number may be any that is not too large to be made.
        let count = shape.reduce(1) { $0.multipliedReportingOverflow(by: $1).overflow ? 0 : $0 * $1 }
        return Weights(shape: shape, count: count) { [Float](repeating: 0, count: min(count, 1 << 24)) }
    }

    /// The file's name for a tensor: the name itself, or its longest ending that is one where that is allowed.
    private func key(for name: String) -> String? {
        if entries[name] != nil { return name }
        guard matchesEndings else { return nil }
        var rest = name[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if entries[String(rest)] != nil { return String(rest) }
        }
        return nil
    }

    /// Tells what is missing or has another shape.
    ///
    /// - Throws: ``Detectron2Error/weightsDoNotFit(file:missing:misshapen:)``.
    func check() throws(Detectron2Error) {
        guard missing.isEmpty, misshapen.isEmpty else {
            throw .weightsDoNotFit(file: file, missing: missing, misshapen: misshapen)
        }
    }

    /// The tensors that nobody asked for, by their names in the file; those that Detectron2 keeps for itself left out.
    var leftOver: [String] {
        let own = ["pixel_mean", "pixel_std", "num_batches_tracked"]
        return entries.filter { name, _ in
            !used.contains(name) && !own.contains { name.hasSuffix($0) }
                && !name.contains("anchor_generator.cell_anchors")
        }
        .map(\.value.originalName).sorted()
    }
}

extension StateDictionary.Entry {
    /// The elements of the rows that are meant, the last dimension first.
    fileprivate func elements() throws -> [Float] {
        let elements = try tensor.floats()
        guard let count = tensor.shape.first, count > 0 else { return elements }
        let row = elements.count / count
        switch rows {
        case .all: return elements
        case .without(let first): return Array(elements.dropFirst(first * row))
        case .firstLast: return Array(elements[row...] + elements[..<row])
        }
    }
}
