// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Layers on feature maps. Each checks that its input fits and throws ``ConversionError/inconsistent(path:reason:)``.
extension GraphBuilder {
    mutating func convolution(_ map: FeatureMap, _ convolution: Convolution, at path: String) throws -> FeatureMap {
        try check(map, convolution, at: path)
        return try self.convolution(map, shared(convolution, at: path), at: path)
    }

    /// Puts a convolution's weights into the graph once, for a layer that several maps go through.
    mutating func shared(_ convolution: Convolution, at path: String) -> SharedConvolution {
        let kernel = weights(convolution.weights, named: "\(path).weight")
        let bias = convolution.bias.map { numbers($0, named: "\(path).bias") }
        return SharedConvolution(convolution: convolution, kernel: kernel, bias: bias)
    }

    mutating func convolution(_ map: FeatureMap, _ shared: SharedConvolution, at path: String) throws -> FeatureMap {
        let convolution = shared.convolution
        try check(map, convolution, at: path)
        let value = add(
            convolution.isTransposed ? "ConvTranspose" : "Conv",
            [map.value, shared.kernel] + (shared.bias.map { [$0] } ?? []),
            [
                .integers("kernel_shape", convolution.kernel.both),
                .integers("strides", convolution.stride.both),
                .integers("pads", convolution.padding.beginningsAndEnds),
                .integers("dilations", convolution.dilation.both),
                .integer("group", convolution.groups),
            ],
            at: path
        )
        return FeatureMap(value: value, channels: convolution.outputs)
    }

    private func check(_ map: FeatureMap, _ convolution: Convolution, at path: String) throws {
        guard map.channels == convolution.inputs else {
            throw ConversionError.inconsistent(
                path: path,
                reason: "its weights are for \(convolution.inputs) channels, its input has \(map.channels)"
            )
        }
    }

    /// `factor · x + shift` in each channel.
    mutating func scaling(_ map: FeatureMap, _ scaling: ChannelScaling, at path: String) throws -> FeatureMap {
        guard map.channels == scaling.factors.count else {
            throw ConversionError.inconsistent(
                path: path,
                reason: "it scales \(scaling.factors.count) channels, its input has \(map.channels)"
            )
        }
        let shape = [1, map.channels, 1, 1]
        let scaled = add("Mul", [map.value, reals(scaling.factors, shape: shape)], at: path)
        let shifted = add("Add", [scaled, reals(scaling.shifts, shape: shape)], at: path)
        return FeatureMap(value: shifted, channels: map.channels)
    }

    /// Puts the channels of several maps one after another.
    mutating func concatenation(_ maps: [FeatureMap], at path: String) throws -> FeatureMap {
        guard let first = maps.first else {
            throw ConversionError.inconsistent(path: path, reason: "it joins no maps")
        }
        if maps.count == 1 { return first }
        let value = add("Concat", maps.map(\.value), [.integer("axis", 1)], at: path)
        return FeatureMap(value: value, channels: maps.reduce(0) { $0 + $1.channels })
    }

    /// Takes the channels apart into maps of the given numbers of channels.
    mutating func split(_ map: FeatureMap, into channels: [Int], at path: String) throws -> [FeatureMap] {
        guard !channels.isEmpty, channels.allSatisfy({ $0 > 0 && $0 <= map.channels }),
            channels.reduce(0, +) == map.channels
        else {
            throw ConversionError.inconsistent(
                path: path,
                reason: "\(map.channels) channels can't be split into \(channels)"
            )
        }
        if channels.count == 1 { return [map] }
        let values = add(
            "Split",
            [map.value, integers(channels)],
            [.integer("axis", 1)],
            at: path,
            outputs: channels.count
        )
        return zip(values, channels).map { FeatureMap(value: $0, channels: $1) }
    }

    /// Takes the channels apart into two halves.
    mutating func halves(_ map: FeatureMap, at path: String) throws -> (FeatureMap, FeatureMap) {
        guard map.channels % 2 == 0 else {
            throw ConversionError.inconsistent(path: path, reason: "\(map.channels) channels have no halves")
        }
        let parts = try split(map, into: [map.channels / 2, map.channels / 2], at: path)
        return (parts[0], parts[1])
    }

    mutating func sum(_ left: FeatureMap, _ right: FeatureMap, at path: String) throws -> FeatureMap {
        guard left.channels == right.channels else {
            throw ConversionError.inconsistent(
                path: path,
                reason: "it adds maps of \(left.channels) and \(right.channels) channels"
            )
        }
        return FeatureMap(value: add("Add", [left.value, right.value], at: path), channels: left.channels)
    }

    mutating func maximumPool(_ map: FeatureMap, _ window: PoolingWindow, at path: String) -> FeatureMap {
        let value = add(
            "MaxPool",
            [map.value],
            window.attributes + [.integers("dilations", window.dilation.both)],
            at: path
        )
        return FeatureMap(value: value, channels: map.channels)
    }

    /// The mean over a window; zeros that padding adds count unless said otherwise.
    mutating func averagePool(
        _ map: FeatureMap,
        _ window: PoolingWindow,
        countsPadding: Bool,
        at path: String
    ) -> FeatureMap {
        let counting = Attribute.integer("count_include_pad", countsPadding ? 1 : 0)
        let value = add("AveragePool", [map.value], window.attributes + [counting], at: path)
        return FeatureMap(value: value, channels: map.channels)
    }

    /// The mean over the whole map.
    mutating func globalAveragePool(_ map: FeatureMap, at path: String) -> FeatureMap {
        FeatureMap(value: add("GlobalAveragePool", [map.value], at: path), channels: map.channels)
    }

    /// Adds a border of one value.
    mutating func padding(_ map: FeatureMap, _ padding: Convolution.Padding, value: Float, at path: String)
        -> FeatureMap
    {
        let widths = integers([0, 0, padding.top, padding.left, 0, 0, padding.bottom, padding.right])
        let padded = add("Pad", [map.value, widths, real(value)], [.text("mode", "constant")], at: path)
        return FeatureMap(value: padded, channels: map.channels)
    }

    /// Enlarges by repeating pixels. PyTorch's `nearest`: output pixel `i` is input pixel `⌊i / scale⌋`.
    mutating func nearestResize(
        _ map: FeatureMap,
        scale: (height: Float, width: Float),
        at path: String
    ) -> FeatureMap {
        resize(map, scale: scale, attributes: Self.nearest, at: path)
    }

    /// Enlarges or shrinks a map to another's height and width by repeating or leaving out pixels.
    mutating func nearestResize(_ map: FeatureMap, toSizeOf other: FeatureMap, at path: String) -> FeatureMap {
        let own = add("Shape", [map.value], at: path)
        let others = add("Shape", [other.value], at: path)
        let front = add("Gather", [own, integers([0, 1])], [.integer("axis", 0)], at: path)
        let back = add("Gather", [others, integers([2, 3])], [.integer("axis", 0)], at: path)
        let size = add("Concat", [front, back], [.integer("axis", 0)], at: path)
        let value = add("Resize", [map.value, .absent, .absent, size], Self.nearest, at: path)
        return FeatureMap(value: value, channels: map.channels)
    }

    /// Enlarges with linear weights in both directions, `align_corners` as PyTorch defines it.
    mutating func bilinearResize(
        _ map: FeatureMap,
        scale: (height: Float, width: Float),
        alignsCorners: Bool,
        at path: String
    ) -> FeatureMap {
        let coordinates = alignsCorners ? "align_corners" : "pytorch_half_pixel"
        let attributes: [Attribute] = [.text("mode", "linear"), .text("coordinate_transformation_mode", coordinates)]
        return resize(map, scale: scale, attributes: attributes, at: path)
    }

    private static let nearest: [Attribute] = [
        .text("mode", "nearest"),
        .text("coordinate_transformation_mode", "asymmetric"),
        .text("nearest_mode", "floor"),
    ]

    private mutating func resize(
        _ map: FeatureMap,
        scale: (height: Float, width: Float),
        attributes: [Attribute],
        at path: String
    ) -> FeatureMap {
        let scales = reals([1, 1, scale.height, scale.width], shape: [4])
        let value = add("Resize", [map.value, .absent, scales], attributes, at: path)
        return FeatureMap(value: value, channels: map.channels)
    }
}

extension GraphValue {
    /// An input that an operation is not given.
    static let absent = GraphValue(name: "")
}

/// A convolution whose weights are in the graph already.
struct SharedConvolution {
    let convolution: Convolution
    let kernel: GraphValue
    let bias: GraphValue?
}

/// How a window moves over a map.
struct PoolingWindow {
    var size: Convolution.Extent
    var stride: Convolution.Extent
    var padding = Convolution.Padding()
    var dilation = Convolution.Extent(1)
    /// Whether a window that begins within the map but ends outside counts.
    var roundsUp = false

    fileprivate var attributes: [GraphBuilder.Attribute] {
        [
            .integers("kernel_shape", size.both),
            .integers("strides", stride.both),
            .integers("pads", padding.beginningsAndEnds),
            .integer("ceil_mode", roundsUp ? 1 : 0),
        ]
    }
}

extension Convolution.Extent {
    /// Height, then width.
    var both: [Int] { [height, width] }
}
