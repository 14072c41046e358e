// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Detectron2Network {
    /// The maps that the backbone gives by name: `res4`, or with a pyramid `p2`, `p3`, ….
    mutating func features(of images: FeatureMap) throws -> [String: Feature] {
        guard let pyramid = configuration.pyramid else { return try residualFeatures(of: images, at: "backbone") }
        let stages = try residualFeatures(of: images, at: "backbone.bottom_up")
        return try pyramidFeatures(of: stages, pyramid)
    }

    /// What the input's sides have to be multiples of: the stride of the pyramid's last map; 1 without a pyramid.
    ///
    /// `FPN.size_divisibility` in Detectron2's `modeling/backbone/fpn.py`.
    var inputStride: Int {
        guard let last = configuration.pyramid?.inputs.last else { return 1 }
        return Self.strides(configuration.backbone)[last] ?? 1
    }

    /// Pixels of the picture to each cell of each stage.
    private static func strides(_ backbone: Detectron2Configuration.Backbone) -> [String: Int] {
        ["res2": 4, "res3": 8, "res4": 16, "res5": 32 / backbone.res5Dilation]
    }

    /// A ResNet (He and others, arXiv:1512.03385) or ResNeXt (Xie and others, arXiv:1611.05431).
    ///
    /// `build_resnet_backbone` in Detectron2's `modeling/backbone/resnet.py`.
    private mutating func residualFeatures(of images: FeatureMap, at path: String) throws -> [String: Feature] {
        let backbone = configuration.backbone
        let stem = try layer(
            "\(path).stem.conv1",
            inputs: images.channels,
            outputs: backbone.stemChannels,
            kernel: 7,
            stride: 2,
            normalisation: backbone.normalisation,
            hasBias: false
        )
        var map = try apply(stem, to: images)
        map = graph.maximumPool(
            map,
            PoolingWindow(size: .init(3), stride: .init(2), padding: .init(.init(1))),
            at: "\(path).stem"
        )
        var features: [String: Feature] = [:]
        let last = Detectron2Configuration.Backbone.stages.lastIndex(where: backbone.outputs.contains) ?? 0
        for (index, name) in Detectron2Configuration.Backbone.stages.prefix(last + 1).enumerated() {
            let dilation = name == "res5" ? backbone.res5Dilation : 1
            let stride = index == 0 || dilation > 1 ? 1 : 2
            map = try stage(
                map,
                index: index,
                blocks: backbone.blocks[index],
                stride: stride,
                dilation: dilation,
                at: "\(path).\(name)"
            )
            features[name] = Feature(map: map, stride: Self.strides(backbone)[name] ?? 1)
        }
        return features.filter { backbone.outputs.contains($0.key) }
    }

    /// The blocks of one stage; the stage number 0 is `res2`.
    mutating func stage(
        _ input: FeatureMap,
        index: Int,
        blocks: Int,
        stride: Int,
        dilation: Int,
        at path: String
    ) throws -> FeatureMap {
        var map = input
        let outputs = configuration.backbone.res2Channels << index
        for block in 0..<blocks {
            let stride = block == 0 ? stride : 1
            let path = "\(path).\(block)"
            let main =
                configuration.backbone.hasBottlenecks
                ? try bottleneck(map, stage: index, outputs: outputs, stride: stride, dilation: dilation, at: path)
                : try basicBlock(map, outputs: outputs, stride: stride, at: path)
            var beside = map
            if map.channels != outputs {
                let shortcut = try residualLayer(
                    "\(path).shortcut",
                    inputs: map.channels,
                    outputs: outputs,
                    kernel: 1,
                    stride: stride
                )
                beside = try apply(shortcut, to: map, activates: false)
            }
            map = activated(try graph.sum(main, beside, at: path), at: path)
        }
        return map
    }

    private mutating func bottleneck(
        _ map: FeatureMap,
        stage: Int,
        outputs: Int,
        stride: Int,
        dilation: Int,
        at path: String
    ) throws -> FeatureMap {
        let backbone = configuration.backbone
        let inner = backbone.groups * backbone.widthPerGroup << stage
        let first = try residualLayer(
            "\(path).conv1",
            inputs: map.channels,
            outputs: inner,
            kernel: 1,
            stride: backbone.hasStrideIn1x1 ? stride : 1
        )
        let second = try residualLayer(
            "\(path).conv2",
            inputs: inner,
            outputs: inner,
            kernel: 3,
            stride: backbone.hasStrideIn1x1 ? 1 : stride,
            dilation: dilation,
            groups: backbone.groups
        )
        let third = try residualLayer("\(path).conv3", inputs: inner, outputs: outputs, kernel: 1)
        let narrow = try apply(second, to: try apply(first, to: map))
        return try apply(third, to: narrow, activates: false)
    }

    private mutating func basicBlock(
        _ map: FeatureMap,
        outputs: Int,
        stride: Int,
        at path: String
    ) throws -> FeatureMap {
        let first = try residualLayer(
            "\(path).conv1",
            inputs: map.channels,
            outputs: outputs,
            kernel: 3,
            stride: stride
        )
        let second = try residualLayer("\(path).conv2", inputs: outputs, outputs: outputs, kernel: 3)
        return try apply(second, to: try apply(first, to: map), activates: false)
    }

    private mutating func residualLayer(
        _ path: String,
        inputs: Int,
        outputs: Int,
        kernel: Int,
        stride: Int = 1,
        dilation: Int = 1,
        groups: Int = 1
    ) throws -> Layer {
        try layer(
            path,
            inputs: inputs,
            outputs: outputs,
            kernel: kernel,
            stride: stride,
            dilation: dilation,
            groups: groups,
            normalisation: configuration.backbone.normalisation,
            hasBias: false
        )
    }

    /// A feature pyramid (Lin and others, arXiv:1612.03144) with one or two more levels on top.
    ///
    /// `FPN`, `LastLevelMaxPool` and `LastLevelP6P7` in Detectron2's `modeling/backbone/fpn.py`.
    private mutating func pyramidFeatures(
        of stages: [String: Feature],
        _ pyramid: Detectron2Configuration.Pyramid
    ) throws -> [String: Feature] {
        var features: [String: Feature] = [:]
        var above: FeatureMap?
        for name in pyramid.inputs.reversed() {
            guard let stage = stages[name], let level = Int(name.dropFirst("res".count)) else { continue }
            let lateral = try pyramidLayer("backbone.fpn_lateral\(level)", inputs: stage.map.channels, kernel: 1)
            let path = lateral.path
            var map = try apply(lateral, to: stage.map, activates: false)
            if let above {
                let enlarged = graph.nearestResize(above, scale: (height: 2, width: 2), at: path)
                map = try graph.sum(map, enlarged, at: path)
                if pyramid.averages {
                    let half = graph.add("Mul", [map.value, graph.real(0.5)], at: path)
                    map = FeatureMap(value: half, channels: map.channels)
                }
            }
            above = map
            let output = try pyramidLayer("backbone.fpn_output\(level)", inputs: pyramid.channels, kernel: 3)
            features["p\(level)"] = Feature(map: try apply(output, to: map, activates: false), stride: stage.stride)
        }
        guard let top = pyramid.inputs.last, let level = Int(top.dropFirst("res".count)) else { return features }
        if pyramid.hasConvolutionsOnTop {
            try addConvolutionsOnTop(of: stages, pyramid, to: &features)
        } else if let last = features["p\(level)"] {
            let window = PoolingWindow(size: .init(1), stride: .init(2))
            let pooled = graph.maximumPool(last.map, window, at: "backbone.top_block")
            features["p\(level + 1)"] = Feature(map: pooled, stride: last.stride * 2)
        }
        return features
    }

    private mutating func addConvolutionsOnTop(
        of stages: [String: Feature],
        _ pyramid: Detectron2Configuration.Pyramid,
        to features: inout [String: Feature]
    ) throws {
        guard let last = stages["res5"] else {
            throw Detectron2Error.badValue(
                file: configuration.file,
                key: "MODEL.RESNETS.OUT_FEATURES",
                value: configuration.backbone.outputs.joined(separator: ", "),
                expected: "a list with res5, which p6 is made from"
            )
        }
        let sixth = try topLayer("backbone.top_block.p6", inputs: last.map.channels, pyramid)
        let map = try apply(sixth, to: last.map, activates: false)
        features["p6"] = Feature(map: map, stride: last.stride * 2)
        let seventh = try topLayer("backbone.top_block.p7", inputs: pyramid.channels, pyramid)
        let rectified = activated(map, at: seventh.path)
        features["p7"] = Feature(map: try apply(seventh, to: rectified, activates: false), stride: last.stride * 4)
    }

    private mutating func topLayer(
        _ path: String,
        inputs: Int,
        _ pyramid: Detectron2Configuration.Pyramid
    ) throws -> Layer {
        try layer(path, inputs: inputs, outputs: pyramid.channels, kernel: 3, stride: 2)
    }

    private mutating func pyramidLayer(_ path: String, inputs: Int, kernel: Int) throws -> Layer {
        try layer(
            path,
            inputs: inputs,
            outputs: configuration.pyramid?.channels ?? 0,
            kernel: kernel,
            normalisation: configuration.pyramid?.normalisation ?? .none
        )
    }

    /// The maps with these names, in this order.
    ///
    /// - Throws: ``Detectron2Error/badValue(file:key:value:expected:)`` when the backbone does not give one of them.
    func selected(
        _ names: [String],
        from features: [String: Feature],
        key: String
    ) throws(Detectron2Error) -> [Feature] {
        var selection: [Feature] = []
        for name in names {
            guard let feature = features[name] else {
                throw .badValue(
                    file: configuration.file,
                    key: key,
                    value: names.joined(separator: ", "),
                    expected: "a list of what the backbone gives: \(features.keys.sorted().joined(separator: ", "))"
                )
            }
            selection.append(feature)
        }
        return selection
    }
}

extension Detectron2Configuration.Backbone {
    /// Blocks of three convolutions; the shallow networks have two.
    var hasBottlenecks: Bool { depth > 34 }

    /// The number of blocks of each stage, from `res2` on.
    var blocks: [Int] {
        switch depth {
        case 18: [2, 2, 2, 2]
        case 101: [3, 4, 23, 3]
        case 152: [3, 8, 36, 3]
        default: [3, 4, 6, 3]
        }
    }
}
