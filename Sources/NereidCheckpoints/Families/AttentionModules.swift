// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Attention over the pixels of a map.
///
/// Source: `TransformerLayer` and `TransformerBlock` in YOLOv5's `models/common.py` and `torch.nn.MultiheadAttention`;
/// `Attention`, `PSA`, `PSABlock`, `AAttn`, `ABlock` and `A2C2f` in `ultralytics/nn/modules/block.py`.
enum AttentionModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "Attention": .one(attention),
        "PSABlock": .one { network, module, input in
            let isResidual = try module.flag("add")
            let attended = try network.translate(module.child("attn"), input)
            let middle = try network.addingInput(input, to: attended, if: isResidual, at: module.path)
            let forwarded = try network.translate(module.child("ffn"), middle)
            return try network.addingInput(middle, to: forwarded, if: isResidual, at: module.path)
        },
        "PSA": .one { network, module, input in
            let (first, second) = try network.halves(ofFirstConvolutionOf: module, input)
            let attended = try network.graph.sum(
                second,
                network.translate(module.child("attn"), second),
                at: module.path
            )
            let forwarded = try network.graph.sum(
                attended,
                network.translate(module.child("ffn"), attended),
                at: module.path
            )
            let joined = try network.graph.concatenation([first, forwarded], at: module.path)
            return try network.translate(module.child("cv2"), joined)
        },
        "AAttn": .one(areaAttention),
        "ABlock": .one { network, module, input in
            let attended = try network.graph.sum(input, network.translate(module.child("attn"), input), at: module.path)
            let forwarded = try network.translate(module.child("mlp"), attended)
            return try network.graph.sum(attended, forwarded, at: module.path)
        },
        "A2C2f": .one(areaStages),
        "TransformerBlock": .one(transformerBlock),
        "TransformerLayer": .one(transformerLayer),
    ]

    /// Each head's channels of `qkv` hold query, key and value one after another.
    private static func attention(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let path = module.path
        let heads = try module.positive("num_heads")
        let (keys, values) = (try module.positive("key_dim"), try module.positive("head_dim"))
        let mixed = try network.translate(module.child("qkv"), input)
        guard mixed.channels == heads * (2 * keys + values), input.channels == heads * values else {
            throw module.inconsistent(
                "\(heads) heads of \(keys) and \(values) channels don't fit \(input.channels) and \(mixed.channels) channels"
            )
        }
        let byHead = network.graph.reshape(mixed.value, [0, heads, 2 * keys + values, -1], at: path)
        let parts = network.graph.split(byHead, into: [keys, keys, values], axis: 2, at: path)
        let scale = Float(try module.number("scale", default: 1 / Double(keys).squareRoot()))
        let attended = network.graph.attention(query: parts[0], key: parts[1], value: parts[2], scale: scale, at: path)
        let map = network.graph.reshape(attended, like: input.value, at: path)

        let valueMap = network.graph.reshape(parts[2], like: input.value, at: path)
        let position = try network.translate(
            module.child("pe"),
            FeatureMap(value: valueMap, channels: input.channels)
        )
        let sum = try network.graph.sum(FeatureMap(value: map, channels: input.channels), position, at: path)
        return try network.translate(module.child("proj"), sum)
    }

    /// Attention within each of several horizontal bands of the map.
    private static func areaAttention(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let path = module.path
        let (heads, width) = (try module.positive("num_heads"), try module.positive("head_dim"))
        let areas = try module.positive("area")
        let mixed = try network.translate(module.child("qkv"), input)
        guard mixed.channels == 3 * heads * width, input.channels == heads * width else {
            throw module.inconsistent(
                "\(heads) heads of \(width) channels don't fit \(input.channels) and \(mixed.channels) channels"
            )
        }
        let byArea = network.graph.reshape(mixed.value, [0, heads, 3 * width, areas, -1], at: path)
        let ordered = network.graph.transpose(byArea, [0, 3, 1, 2, 4], at: path)
        let parts = network.graph.split(ordered, into: [width, width, width], axis: 3, at: path)
        let attended = network.graph.attention(
            query: parts[0],
            key: parts[1],
            value: parts[2],
            scale: Float(1 / Double(width).squareRoot()),
            rank: 5,
            at: path
        )
        let maps = [attended, parts[2]].map { value in
            let byChannel = network.graph.transpose(value, [0, 2, 3, 1, 4], at: path)
            let map = network.graph.reshape(byChannel, like: input.value, at: path)
            return FeatureMap(value: map, channels: input.channels)
        }
        let position = try network.translate(module.child("pe"), maps[1])
        return try network.translate(module.child("proj"), network.graph.sum(maps[0], position, at: path))
    }

    /// `cv2` over `cv1(x)` and what each stage gives; with `gamma`, added to the input channel by channel.
    private static func areaStages(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        var maps = [try network.translate(module.child("cv1"), input)]
        for stage in try module.child("m").children {
            maps.append(try network.translate(stage, maps[maps.count - 1]))
        }
        let joined = try network.graph.concatenation(maps, at: module.path)
        let output = try network.translate(module.child("cv2"), joined)
        guard let gains = try module.optionalNumbers("gamma") else { return output }
        guard gains.count == output.channels else {
            throw module.inconsistent("it has \(gains.count) gains for \(output.channels) channels")
        }
        let gain = network.graph.reals(gains, shape: [1, gains.count, 1, 1])
        let scaled = network.graph.product(output.value, gain, at: module.path)
        return try network.graph.sum(input, FeatureMap(value: scaled, channels: output.channels), at: module.path)
    }

    /// Transformer layers over the pixels, with a linear layer in place of an encoding of their positions.
    ///
    /// A linear layer over the channels of each pixel is a convolution of 1×1, so that the map keeps its form.
    private static func transformerBlock(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let map = try module.optionalChild("conv").map { try network.translate($0, input) } ?? input
        let linear = try module.child("linear")
        let positions = try network.graph.convolution(map, Convolution(ofLinear: linear), at: linear.path)
        let sum = try network.graph.sum(map, positions, at: module.path)
        return try network.translate(module.child("tr"), sum)
    }

    private static func transformerLayer(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let path = module.path
        let attention = try module.child("ma")
        let projections = try Convolution.inputProjections(of: attention)
        let heads = try attention.positive("num_heads")
        guard input.channels % heads == 0 else {
            throw attention.inconsistent("\(input.channels) channels can't be shared by \(heads) heads")
        }
        let width = input.channels / heads
        let parts = try zip(["q", "k", "v"], projections).map { name, projection in
            let linear = try module.child(name)
            let map = try network.graph.convolution(input, Convolution(ofLinear: linear), at: linear.path)
            let projected = try network.graph.convolution(map, projection, at: "\(attention.path).\(name)")
            return network.graph.reshape(projected.value, [0, heads, width, -1], at: path)
        }
        let scale = Float(1 / Double(width).squareRoot())
        let attended = network.graph.attention(query: parts[0], key: parts[1], value: parts[2], scale: scale, at: path)
        let joined = FeatureMap(
            value: network.graph.reshape(attended, like: input.value, at: path),
            channels: input.channels
        )
        let output = try attention.child("out_proj")
        let projected = try network.graph.convolution(joined, Convolution(ofLinear: output), at: output.path)
        let middle = try network.graph.sum(projected, input, at: path)

        let (first, second) = (try module.child("fc1"), try module.child("fc2"))
        let hidden = try network.graph.convolution(middle, Convolution(ofLinear: first), at: first.path)
        let forwarded = try network.graph.convolution(hidden, Convolution(ofLinear: second), at: second.path)
        return try network.graph.sum(forwarded, middle, at: path)
    }
}

extension GraphBuilder {
    /// `value · softmax(queryᵀ · key · scale)ᵀ`; all three are `[batch, …, channels, pixels]` with `rank` dimensions.
    fileprivate mutating func attention(
        query: GraphValue,
        key: GraphValue,
        value: GraphValue,
        scale: Float,
        rank: Int = 4,
        at path: String
    ) -> GraphValue {
        let swapped = Array(0..<rank - 2) + [rank - 1, rank - 2]
        let queries = transpose(product(query, real(scale), at: path), swapped, at: path)
        let weights = softmax(matrixProduct(queries, key, at: path), axis: rank - 1, at: path)
        return matrixProduct(value, transpose(weights, swapped, at: path), at: path)
    }
}

extension Convolution {
    /// A linear layer as a convolution of 1×1.
    init(ofLinear module: Module) throws {
        guard module.className == "Linear" || module.className == "NonDynamicallyQuantizableLinear" else {
            throw ConversionError.unsupportedModule(className: module.qualifiedName, path: module.path)
        }
        let weights = try module.weights("weight")
        guard weights.shape.count == 2, weights.shape.allSatisfy({ $0 > 0 }) else {
            throw module.inconsistent("its weights have the shape \(weights.shape), not two dimensions")
        }
        self.init(weights: weights.reshaped(weights.shape + [1, 1]), bias: try module.optionalNumbers("bias"))
        if let bias, bias.count != outputs {
            throw module.inconsistent("it has \(bias.count) biases for \(outputs) channels")
        }
    }

    /// The projections of query, key and value that a `MultiheadAttention` holds in one matrix.
    fileprivate static func inputProjections(of module: Module) throws -> [Convolution] {
        let weights = try module.weights("in_proj_weight")
        let biases = try module.optionalNumbers("in_proj_bias")
        guard weights.shape.count == 2, weights.shape[1] > 0, weights.shape[0] == 3 * weights.shape[1],
            biases == nil || biases?.count == weights.shape[0]
        else {
            throw module.inconsistent("its projections have the shape \(weights.shape)")
        }
        guard module.isMissing("bias_k"), try !module.flag("add_zero_attn", default: false) else {
            throw ConversionError.unsupportedSetting(path: module.path, reason: "it has biases of keys or zeros added")
        }
        let width = weights.shape[1]
        return (0..<3).map { part in
            let rows = part * width..<(part + 1) * width
            return Convolution(
                weights: weights.rows(rows).reshaped([width, width, 1, 1]),
                bias: biases.map { Array($0[rows]) }
            )
        }
    }
}
