// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Convolutions: PyTorch's own, and the frameworks' blocks of convolution, batch normalisation and activation.
///
/// Source: `torch.nn`; `models/common.py` and `models/experimental.py` in YOLOv5; `ultralytics/nn/modules/conv.py`.
enum ConvolutionModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "Conv2d": .one { network, module, input in
            try network.graph.convolution(input, Convolution(of: module), at: module.path)
        },
        "ConvTranspose2d": .one { network, module, input in
            try network.graph.convolution(input, Convolution(ofTransposed: module), at: module.path)
        },
        "BatchNorm2d": .one { network, module, input in
            try network.graph.scaling(input, ChannelScaling(of: module), at: module.path)
        },
        "Conv": .one(block),
        "DWConv": .one(block),
        "ConvTranspose": .one(transposedBlock),
        "Focus": .one(focus),
        "RepConv": .one(reparameterised),
        "RepVGGDW": .one(depthwiseReparameterised),
        "SCDown": .one { network, module, input in
            let narrowed = try network.translate(module.child("cv1"), input)
            return try network.translate(module.child("cv2"), narrowed)
        },
        "CrossConv": .one { network, module, input in
            let rows = try network.translate(module.child("cv1"), input)
            let both = try network.translate(module.child("cv2"), rows)
            return try network.addingInput(input, to: both, if: module.flag("add"), at: module.path)
        },
    ]

    /// `act(bn(conv(x)))`, or `act(conv(x))` when the framework has fused the two.
    private static func block(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let convolution = try Convolution(ofBlock: module)
        let map = try network.graph.convolution(input, convolution, at: module.child("conv").path)
        return try network.translate(module.child("act"), map)
    }

    private static func transposedBlock(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let map = try network.translate(module.child("conv_transpose"), input)
        let normalised = try module.optionalChild("bn").map { try network.translate($0, map) } ?? map
        return try network.translate(module.child("act"), normalised)
    }

    /// Stacks the pixels of 2×2 blocks into channels before a convolution. Both together are one convolution of twice the
    /// kernel and stride.
    private static func focus(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let block = try module.child("conv")
        var convolution = try Convolution(ofBlock: block)
        guard convolution.groups == 1, convolution.dilation == Convolution.Extent(1), convolution.inputs % 4 == 0 else {
            throw ConversionError.unsupportedSetting(
                path: module.path,
                reason: "its convolution has groups, dilation, or channels that are not a multiple of 4"
            )
        }
        convolution.weights = convolution.weights.unstacked()
        convolution.stride = Convolution.Extent(
            height: 2 * convolution.stride.height,
            width: 2 * convolution.stride.width
        )
        let padding = convolution.padding
        convolution.padding = Convolution.Padding(
            left: 2 * padding.left,
            right: 2 * padding.right,
            top: 2 * padding.top,
            bottom: 2 * padding.bottom
        )
        let map = try network.graph.convolution(input, convolution, at: block.child("conv").path)
        return try network.translate(block.child("act"), map)
    }

    /// `act(conv1(x) + conv2(x) + bn(x))`, or `act(conv(x))` once fused. The branches become one convolution.
    private static func reparameterised(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let sum: FeatureMap
        if let fused = try module.optionalChild("conv") {
            sum = try network.translate(fused, input)
        } else {
            let branches = try [module.child("conv1"), module.child("conv2")]
            var branchesSum = try network.sumOfBranches(branches, input, at: module.path)
            if let identity = try module.optionalChild("bn") {
                let scaled = try network.translate(identity, input)
                branchesSum = try network.graph.sum(branchesSum, scaled, at: module.path)
            }
            sum = branchesSum
        }
        return try network.translate(module.child("act"), sum)
    }

    /// `act(conv(x) + conv1(x))`, or `act(conv(x))` once fused.
    private static func depthwiseReparameterised(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let sum: FeatureMap
        if let second = try module.optionalChild("conv1") {
            sum = try network.sumOfBranches([module.child("conv"), second], input, at: module.path)
        } else {
            sum = try network.translate(module.child("conv"), input)
        }
        return try network.translate(module.child("act"), sum)
    }
}

extension NetworkTranslator {
    /// The sum of two blocks without activation, as one convolution where that is possible.
    fileprivate mutating func sumOfBranches(
        _ branches: [Module],
        _ input: FeatureMap,
        at path: String
    ) throws -> FeatureMap {
        let activations = try branches.map { try $0.child("act").className }
        let convolutions = try branches.map { try Convolution(ofBlock: $0) }
        if activations.allSatisfy({ $0 == "Identity" }), let merged = convolutions[0].merged(with: convolutions[1]) {
            return try graph.convolution(input, merged, at: path)
        }
        let maps = try branches.map { try translate($0, input) }
        return try graph.sum(maps[0], maps[1], at: path)
    }

    /// The shortcut of residual blocks.
    mutating func addingInput(
        _ input: FeatureMap,
        to map: FeatureMap,
        if isWanted: Bool,
        at path: String
    ) throws -> FeatureMap {
        isWanted ? try graph.sum(input, map, at: path) : map
    }
}
