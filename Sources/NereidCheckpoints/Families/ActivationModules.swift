// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What is applied to each element by itself, and what does nothing outside training.
///
/// Source: `torch.nn.modules.activation`; `utils/activations.py` in YOLOv5.
enum ActivationModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "Identity": .one { _, _, input in input },
        "Dropout": .one { _, _, input in input },
        "Dropout2d": .one { _, _, input in input },
        "Silence": .one { _, _, input in input },
        "SiLU": .one(gated),
        "Swish": .one(gated),
        "MemoryEfficientSwish": .one(gated),
        "Hardswish": .one { network, module, input in network.apply("HardSwish", to: input, at: module) },
        "ReLU": .one { network, module, input in network.apply("Relu", to: input, at: module) },
        "Sigmoid": .one { network, module, input in network.apply("Sigmoid", to: input, at: module) },
        "Tanh": .one { network, module, input in network.apply("Tanh", to: input, at: module) },
        "LeakyReLU": .one { network, module, input in
            let slope = Float(try module.number("negative_slope", default: 0.01))
            return network.apply("LeakyRelu", to: input, [.real("alpha", slope)], at: module)
        },
        "ELU": .one { network, module, input in
            let alpha = Float(try module.number("alpha", default: 1))
            return network.apply("Elu", to: input, [.real("alpha", alpha)], at: module)
        },
        "ReLU6": .one { network, module, input in
            let (low, high) = (network.graph.real(0), network.graph.real(6))
            return FeatureMap(
                value: network.graph.add("Clip", [input.value, low, high], at: module.path),
                channels: input.channels
            )
        },
        "GELU": .one(gaussian),
        "Mish": .one(mish),
        "MemoryEfficientMish": .one(mish),
    ]

    /// `x · σ(x)`.
    private static func gated(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let gate = network.graph.sigmoid(input.value, at: module.path)
        return FeatureMap(value: network.graph.product(input.value, gate, at: module.path), channels: input.channels)
    }

    /// `x / 2 · (1 + erf(x / √2))`: ONNX has GELU itself only from operator set 20.
    private static func gaussian(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        guard try module.text("approximate", default: "none") == "none" else {
            throw ConversionError.unsupportedSetting(path: module.path, reason: "it is approximated by tanh")
        }
        let path = module.path
        let root = network.graph.real(Float(2).squareRoot())
        let scaled = network.graph.add("Div", [input.value, root], at: path)
        let error = network.graph.add("Erf", [scaled], at: path)
        let raised = network.graph.sum(error, network.graph.real(1), at: path)
        let whole = network.graph.product(input.value, raised, at: path)
        let half = network.graph.product(whole, network.graph.real(0.5), at: path)
        return FeatureMap(value: half, channels: input.channels)
    }

    /// `x · tanh(ln(1 + eˣ))`.
    private static func mish(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let soft = network.graph.add("Softplus", [input.value], at: module.path)
        let gate = network.graph.add("Tanh", [soft], at: module.path)
        return FeatureMap(value: network.graph.product(input.value, gate, at: module.path), channels: input.channels)
    }
}

extension NetworkTranslator {
    fileprivate mutating func apply(
        _ operation: String,
        to input: FeatureMap,
        _ attributes: [GraphBuilder.Attribute] = [],
        at module: Module
    ) -> FeatureMap {
        let value = graph.add(operation, [input.value], attributes, at: module.path)
        return FeatureMap(value: value, channels: input.channels)
    }
}
