// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Writes the parts of a Detectron2 network into a graph, from its configuration and its weights.
///
/// The weights are Detectron2's own names for what its configuration describes, so that nothing has to be guessed: what the
/// configuration has and the weights lack is an error.
struct Detectron2Network {
    var graph: GraphBuilder
    var weights: StateDictionary
    let configuration: Detectron2Configuration

    /// A map with the pixels of the picture to each of its cells.
    struct Feature: Sendable {
        let map: FeatureMap
        let stride: Int
    }

    /// A convolution, ready to be used, and what follows it.
    struct Layer {
        let shared: SharedConvolution
        /// Normalisation over groups of channels, where there is one.
        let groups: ChannelScaling?
        let path: String
    }

    /// Reads a convolution; normalisation by batches is folded into it.
    ///
    /// - Parameters:
    ///   - path: Its name in the weights, without `.weight`.
    ///   - normalisation: What follows it, under `.norm` or under a name of its own.
    ///   - hasBias: Whether it has a bias; `nil`: when it has no normalisation, as in most of Detectron2.
    mutating func layer(
        _ path: String,
        inputs: Int,
        outputs: Int,
        kernel: Int,
        stride: Int = 1,
        dilation: Int = 1,
        groups: Int = 1,
        normalisation: Detectron2Configuration.Normalisation = .none,
        normalisationPath: String? = nil,
        hasBias: Bool? = nil
    ) throws -> Layer {
        guard inputs > 0, inputs % groups == 0, outputs % groups == 0 else {
            throw ConversionError.inconsistent(
                path: path,
                reason: "\(inputs) channels to \(outputs) can't be in \(groups) groups"
            )
        }
        var convolution = Convolution(
            weights: weights.weights("\(path).weight", shape: [outputs, inputs / groups, kernel, kernel])
        )
        convolution.stride = .init(stride)
        convolution.dilation = .init(dilation)
        convolution.padding = .init(.init(kernel / 2 * dilation))
        convolution.groups = groups
        if hasBias ?? (normalisation == .none) {
            convolution.bias = try weights.numbers("\(path).bias", count: outputs)
        }
        var scaling: ChannelScaling?
        switch normalisation {
        case .none: break
        case .batch:
            let own = try batchScaling(normalisationPath ?? "\(path).norm", channels: outputs)
            convolution = convolution.followed(by: own)
        case .group:
            let own = normalisationPath ?? "\(path).norm"
            guard outputs % Self.groupCount == 0 else {
                throw ConversionError.inconsistent(path: own, reason: "\(outputs) channels can't be in 32 groups")
            }
            scaling = ChannelScaling(
                factors: try weights.numbers("\(own).weight", count: outputs),
                shifts: try weights.numbers("\(own).bias", count: outputs)
            )
        }
        return Layer(shared: graph.shared(convolution, at: path), groups: scaling, path: path)
    }

    /// `get_norm` in Detectron2's `layers/batch_norm.py`.
    private static let groupCount = 32
    private static let epsilon = 1e-5

    /// A normalisation by batches in a trained network. Weights of Caffe2's Detectron have its mean and variance folded in
    /// already.
    mutating func batchScaling(_ path: String, channels: Int) throws -> ChannelScaling {
        try batchScaling(path, channels: channels, statistics: path)
    }

    mutating func batchScaling(_ path: String, channels: Int, statistics: String) throws -> ChannelScaling {
        let gains = try weights.numbers("\(path).weight", count: channels)
        let biases = try weights.numbers("\(path).bias", count: channels)
        let means = try weights.optionalNumbers("\(statistics).running_mean", count: channels)
        let variances = try weights.optionalNumbers("\(statistics).running_var", count: channels)
        var (factors, shifts): ([Float], [Float]) = ([], [])
        for channel in 0..<channels {
            let variance = variances.map { Double($0[channel]) + Self.epsilon } ?? 1
            let factor = Double(gains[channel]) / variance.squareRoot()
            let shift = Double(biases[channel]) - Double(means?[channel] ?? 0) * factor
            // What is missing was replaced by zeros and is told of later.
            guard (factor.isFinite && shift.isFinite) || variance <= Self.epsilon else {
                throw ConversionError.inconsistent(
                    path: path,
                    reason: "its variance, mean, weight or bias of channel \(channel) makes no sense"
                )
            }
            factors.append(Float(factor))
            shifts.append(Float(shift))
        }
        return ChannelScaling(factors: factors, shifts: shifts)
    }

    /// Puts a map through a layer, with what follows the convolution.
    mutating func apply(_ layer: Layer, to map: FeatureMap, activates: Bool = true) throws -> FeatureMap {
        var result = try graph.convolution(map, layer.shared, at: layer.path)
        if let groups = layer.groups { result = try groupNormalised(result, groups, at: "\(layer.path).norm") }
        return activates ? activated(result, at: layer.path) : result
    }

    mutating func activated(_ map: FeatureMap, at path: String) -> FeatureMap {
        FeatureMap(value: graph.add("Relu", [map.value], at: path), channels: map.channels)
    }

    /// Group normalisation (Wu and He, arXiv:1803.08494): each group as one instance, then a factor and a shift for each
    /// channel.
    private mutating func groupNormalised(
        _ map: FeatureMap,
        _ scaling: ChannelScaling,
        at path: String
    ) throws -> FeatureMap {
        let count = Self.groupCount
        let grouped = graph.reshape(map.value, [0, count, -1], at: path)
        let normalised = graph.add(
            "InstanceNormalization",
            [
                grouped, graph.reals([Float](repeating: 1, count: count), shape: [count]),
                graph.reals([Float](repeating: 0, count: count), shape: [count]),
            ],
            [.real("epsilon", Float(Self.epsilon))],
            at: path
        )
        let restored = graph.reshape(normalised, like: map.value, at: path)
        return try graph.scaling(FeatureMap(value: restored, channels: map.channels), scaling, at: path)
    }
}
