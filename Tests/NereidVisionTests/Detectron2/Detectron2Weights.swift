// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import TestSupport

/// Weights of a Detectron2 network as a test makes them up: every tensor that the network has, by the names that Detectron2
/// gives them, with small random numbers; written as a `.pkl` of NumPy arrays, as the model zoo keeps them.
struct Detectron2Weights {
    private(set) var tensors: [(name: String, shape: [Int])] = []
    /// Where the backbone's convolutions have their normalisation.
    enum Normalisation {
        case none, frozen, group
    }

    mutating func add(_ name: String, _ shape: [Int]) {
        tensors.append((name, shape))
    }

    mutating func remove(_ name: String) {
        tensors.removeAll { $0.name == name }
    }

    mutating func convolution(
        _ name: String,
        _ inputs: Int,
        _ outputs: Int,
        _ kernel: Int,
        _ normalisation: Normalisation = .none,
        groups: Int = 1,
        hasBias: Bool? = nil
    ) {
        add("\(name).weight", [outputs, inputs / groups, kernel, kernel])
        if hasBias ?? (normalisation == .none) { add("\(name).bias", [outputs]) }
        self.normalisation("\(name).norm", outputs, normalisation)
    }

    mutating func normalisation(_ name: String, _ channels: Int, _ kind: Normalisation) {
        guard kind != .none else { return }
        for part in ["weight", "bias"] { add("\(name).\(part)", [channels]) }
        if kind == .frozen { for part in ["running_mean", "running_var"] { add("\(name).\(part)", [channels]) } }
    }

    mutating func linear(_ name: String, _ inputs: Int, _ outputs: Int) {
        add("\(name).weight", [outputs, inputs])
        add("\(name).bias", [outputs])
    }

    /// Stages of a ResNet with blocks of three convolutions, from `res2` on; 8 channels of a block's middle in the first.
    mutating func residual(
        _ prefix: String,
        blocks: [Int],
        firstStage: Int = 0,
        inputs: Int,
        outputs: Int,
        inner: Int,
        groups: Int = 1,
        _ normalisation: Normalisation = .frozen,
        name: (Int) -> String = { "res\($0 + 2)" }
    ) {
        var inputs = inputs
        for (index, count) in blocks.enumerated() {
            let (stage, width, middle) = (name(firstStage + index), outputs << index, inner << index)
            for block in 0..<count {
                let path = "\(prefix)\(stage).\(block)"
                if inputs != width { convolution("\(path).shortcut", inputs, width, 1, normalisation, hasBias: false) }
                convolution("\(path).conv1", inputs, middle, 1, normalisation, hasBias: false)
                convolution("\(path).conv2", middle, middle, 3, normalisation, groups: groups, hasBias: false)
                convolution("\(path).conv3", middle, width, 1, normalisation, hasBias: false)
                inputs = width
            }
        }
    }

    mutating func pyramid(_ levels: [Int], inputs: (Int) -> Int, channels: Int, _ normalisation: Normalisation = .none)
    {
        for level in levels {
            convolution("backbone.fpn_lateral\(level)", inputs(level), channels, 1, normalisation)
            convolution("backbone.fpn_output\(level)", channels, channels, 3, normalisation)
        }
    }

    mutating func proposals(channels: Int, anchors: Int) {
        let path = "proposal_generator.rpn_head"
        convolution("\(path).conv", channels, channels, 3)
        convolution("\(path).objectness_logits", channels, anchors, 1)
        convolution("\(path).anchor_deltas", channels, 4 * anchors, 1)
    }

    mutating func predictor(inputs: Int, classes: Int) {
        linear("roi_heads.box_predictor.cls_score", inputs, classes + 1)
        linear("roi_heads.box_predictor.bbox_pred", inputs, 4 * classes)
    }

    /// The file: `{"model": {name: array}, "__author__": …}`.
    func file(seed: UInt64 = 1, author: String = "a test", under key: String? = "model") -> [UInt8] {
        var writer = ArrayPickle(seed: seed)
        writer.open(key: key, author: author)
        for (name, shape) in tensors { writer.add(name, shape) }
        return writer.close(key: key)
    }

    func checkpoint(seed: UInt64 = 1, author: String = "a test") throws -> Checkpoint {
        try Checkpoint(contents: file(seed: seed, author: author), name: "weights.pkl")
    }
}

/// Writes a pickle of NumPy arrays of float32, protocol 3.
private struct ArrayPickle {
    private var bytes: [UInt8] = [0x80, 3]
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func open(key: String?, author: String) {
        bytes += Array("}(".utf8)
        guard let key else { return }
        text("__author__")
        text(author)
        text(key)
        bytes += Array("}(".utf8)
    }

    mutating func close(key: String?) -> [UInt8] {
        bytes += Array((key == nil ? "u." : "uu.").utf8)
        return bytes
    }

    /// A variance is above zero, everything else is between −0.1 and 0.1.
    mutating func add(_ name: String, _ shape: [Int]) {
        text(name)
        global("numpy.core.multiarray", "_reconstruct")
        bytes += Array("(".utf8)
        global("numpy", "ndarray")
        bytes += Array("(".utf8)
        integer(0)
        bytes += Array("t".utf8)
        data([UInt8(ascii: "b")])
        bytes += Array("tR(".utf8)
        integer(1)
        bytes += Array("(".utf8)
        shape.forEach { integer($0) }
        bytes += Array("t".utf8)
        global("numpy", "dtype")
        bytes += Array("(".utf8)
        text("f4")
        integer(0)
        integer(1)
        bytes += Array("tR(".utf8)
        integer(3)
        text("<")
        bytes += Array("NNN".utf8)
        integer(-1)
        integer(-1)
        integer(0)
        bytes += Array("tb".utf8) + [0x89]
        let isVariance = name.hasSuffix("running_var")
        var numbers: [Float] = []
        for _ in 0..<shape.reduce(1, *) {
            let part = Float(generator.next() >> 40) / Float(1 << 24)
            numbers.append(isVariance ? part + 0.5 : part * 0.2 - 0.1)
        }
        data(numbers.withUnsafeBytes { Array($0) })
        bytes += Array("tb".utf8)
    }

    private mutating func text(_ text: String) {
        bytes += Array("X".utf8)
        length(text.utf8.count)
        bytes += Array(text.utf8)
    }

    private mutating func data(_ data: [UInt8]) {
        bytes += Array("B".utf8)
        length(data.count)
        bytes += data
    }

    private mutating func integer(_ number: Int) {
        bytes += Array("J".utf8)
        length(number)
    }

    private mutating func global(_ module: String, _ name: String) {
        bytes += Array("c\(module)\n\(name)\n".utf8)
    }

    private mutating func length(_ number: Int) {
        withUnsafeBytes(of: Int32(number).littleEndian) { bytes += Array($0) }
    }
}
