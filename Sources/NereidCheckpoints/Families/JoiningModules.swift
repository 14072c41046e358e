// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// Sequences, and what joins or takes apart the maps of several layers.
///
/// Source: `torch.nn.Sequential`; `Concat` in both frameworks; `Sum` in YOLOv5's `models/experimental.py`; `CBLinear` and
/// `CBFuse` in `ultralytics/nn/modules/block.py`.
enum JoiningModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "Sequential": .one { network, module, input in
            try network.translate(sequence: module.children, input)
        },
        "Concat": .several { network, module, inputs in
            guard try module.integer("d", default: 1) == 1 else {
                throw ConversionError.unsupportedSetting(
                    path: module.path,
                    reason: "it joins along another dimension than channels"
                )
            }
            return try network.graph.concatenation(inputs.flatMap(\.self), at: module.path)
        },
        "Sum": .several(weightedSum),
        "CBLinear": .list { network, module, input in
            let map = try network.translate(module.child("conv"), input)
            return try network.graph.split(map, into: module.integers("c2s"), at: module.path)
        },
        "CBFuse": .several(fuse),
    ]

    /// `x₀ + Σ 2σ(wᵢ) · xᵢ`, or a plain sum.
    private static func weightedSum(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ inputs: [[FeatureMap]]
    ) throws -> FeatureMap {
        let maps = inputs.flatMap(\.self)
        guard let first = maps.first else { throw module.inconsistent("it adds no maps") }
        let isWeighted = try module.flag("weight", default: false)
        let logits = isWeighted ? try module.numbers("w") : []
        guard !isWeighted || logits.count == maps.count - 1 else {
            throw module.inconsistent("it has \(logits.count) weights for \(maps.count - 1) maps")
        }
        var sum = first
        for (index, map) in maps.dropFirst().enumerated() {
            var term = map
            if isWeighted {
                let weight = Float(2 / (1 + exp(-Double(logits[index]))))
                let value = network.graph.product(map.value, network.graph.real(weight), at: module.path)
                term = FeatureMap(value: value, channels: map.channels)
            }
            sum = try network.graph.sum(sum, term, at: module.path)
        }
        return sum
    }

    /// One map of each list, brought to the size of the last input, added to it.
    private static func fuse(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ inputs: [[FeatureMap]]
    ) throws -> FeatureMap {
        let indices = try module.integers("idx")
        guard let last = inputs.last?.last, inputs.count - 1 <= indices.count else {
            throw module.inconsistent("it has \(indices.count) indices for \(inputs.count) inputs")
        }
        var sum = last
        for (list, index) in zip(inputs.dropLast(), indices) {
            guard list.indices.contains(index) else {
                throw module.inconsistent("it takes map \(index) of a list of \(list.count)")
            }
            let resized = network.graph.nearestResize(list[index], toSizeOf: last, at: module.path)
            sum = try network.graph.sum(sum, resized, at: module.path)
        }
        return sum
    }
}
