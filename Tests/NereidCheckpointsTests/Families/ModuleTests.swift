// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

/// Each class of module becomes the operations that its definition says, with the channels that it says. That they compute
/// the same as the framework is shown on real files.
@Suite("Modules")
struct ModuleTests {
    static let cases = convolutions + activations + poolings + resamplings + joinings + blocks + attentions

    @Test("each class becomes its operations", arguments: cases)
    func translation(_ example: ModuleCase) throws {
        let (maps, graph) = try example.translated()
        #expect(maps.map(\.channels) == example.outputs)
        // What passes through unchanged is copied to the output.
        let nodes = graph.model.graph.node.filter { !$0.name.hasPrefix("output") }
        #expect(nodes.map(\.opType).joined(separator: " ") == example.operations)
        #expect(nodes.allSatisfy { $0.name.hasPrefix("model.0") })
        #expect(graph.misplacedNames == [])
    }

    @Test("every class that can be converted is tested")
    func completeness() {
        #expect(Set(NetworkTranslator.translations.keys) == Set(Self.cases.map(\.className)))
    }
}

/// The operations of a block with SiLU.
private let block = "Conv Sigmoid Mul"

extension ModuleTests {
    private static func example(
        _ className: String,
        _ module: Pickled,
        from inputs: [Int] = [8],
        to outputs: Int...,
        by operations: String
    ) -> ModuleCase {
        ModuleCase(className: className, module: module, inputs: inputs, outputs: outputs, operations: operations)
    }

    static var convolutions: [ModuleCase] {
        let w = NetworkWriter()
        let identity = { (size: Int, groups: Int) in w.block(8, 8, kernel: size, groups: groups, act: "Identity") }
        let transposed = w.module(
            "torch.nn.modules.conv.ConvTranspose2d",
            parameters: [("weight", w.tensor([8, 4, 2, 2])), ("bias", w.tensor([4]))],
            [("stride", .integers([2, 2])), ("output_padding", .integers([0, 0]))]
        )
        let act = ("act", w.activation())
        return [
            example("Conv2d", w.convolution(8, 12, kernel: 3), to: 12, by: "Conv"),
            example("ConvTranspose2d", transposed, to: 4, by: "ConvTranspose"),
            example("BatchNorm2d", w.normalisation(8), to: 8, by: "Mul Add"),
            example("Conv", w.block(8, 12), to: 12, by: block),
            example(
                "Conv",
                w.common("Conv", [("conv", w.convolution(8, 12)), ("bn", .none), ("act", w.activation("ReLU"))]),
                to: 12,
                by: "Conv Relu"
            ),
            example("DWConv", w.block(8, 8, kernel: 3, groups: 8, class: "models.common.DWConv"), to: 8, by: block),
            example(
                "ConvTranspose",
                w.ultralytics("ConvTranspose", [("conv_transpose", transposed), ("bn", w.normalisation(4)), act]),
                to: 4,
                by: "ConvTranspose Mul Add Sigmoid Mul"
            ),
            example("Focus", w.common("Focus", [("conv", w.block(12, 8, kernel: 3))]), from: [3], to: 8, by: block),
            example(
                "RepConv",
                w.ultralytics("RepConv", [("conv1", identity(3, 1)), ("conv2", identity(1, 1)), ("bn", .none), act]),
                to: 8,
                by: block
            ),
            example(
                "RepConv",
                w.ultralytics(
                    "RepConv",
                    [("conv1", identity(3, 1)), ("conv2", identity(1, 1)), ("bn", w.normalisation(8)), act]
                ),
                to: 8,
                by: "Conv Mul Add Add Sigmoid Mul"
            ),
            example(
                "RepConv",
                w.ultralytics("RepConv", [("conv", w.convolution(8, 8, kernel: 3)), act]),
                to: 8,
                by: block
            ),
            example(
                "RepVGGDW",
                w.ultralytics("RepVGGDW", [("conv", identity(7, 8)), ("conv1", identity(3, 8)), act]),
                to: 8,
                by: block
            ),
            example(
                "RepVGGDW",
                w.ultralytics("RepVGGDW", [("conv", w.convolution(8, 8, kernel: 7, groups: 8)), act]),
                to: 8,
                by: block
            ),
            example(
                "SCDown",
                w.ultralytics("SCDown", [("cv1", w.block(8, 12)), ("cv2", w.block(12, 12, kernel: 3, stride: 2))]),
                to: 12,
                by: "\(block) \(block)"
            ),
            example(
                "CrossConv",
                w.common(
                    "CrossConv",
                    [("cv1", w.block(8, 4)), ("cv2", w.block(4, 8))],
                    [("add", .boolean(true))]
                ),
                to: 8,
                by: "\(block) \(block) Add"
            ),
        ]
    }

    static var activations: [ModuleCase] {
        let w = NetworkWriter()
        let operations = [
            "Identity": "", "SiLU": "Sigmoid Mul", "Hardswish": "HardSwish", "ReLU": "Relu", "Sigmoid": "Sigmoid",
            "Tanh": "Tanh", "LeakyReLU": "LeakyRelu", "ELU": "Elu", "ReLU6": "Clip", "GELU": "Div Erf Add Mul Mul",
            "Mish": "Softplus Tanh Mul", "Dropout": "", "Dropout2d": "", "Silence": "", "Swish": "Sigmoid Mul",
            "MemoryEfficientSwish": "Sigmoid Mul", "MemoryEfficientMish": "Softplus Tanh Mul",
        ]
        return operations.sorted { $0.key < $1.key }.map { name, operations in
            example(name, w.activation(name), to: 8, by: operations)
        }
    }

    static var poolings: [ModuleCase] {
        let w = NetworkWriter()
        let pool = w.maximumPool(5, stride: 1, padding: 2)
        let average = w.module(
            "torch.nn.modules.pooling.AvgPool2d",
            [("kernel_size", .integer(2)), ("stride", .integer(2)), ("padding", .integer(0))]
        )
        let adaptive = w.module("torch.nn.modules.pooling.AdaptiveAvgPool2d", [("output_size", .integer(1))])
        return [
            example("MaxPool2d", pool, to: 8, by: "MaxPool"),
            example("AvgPool2d", average, to: 8, by: "AveragePool"),
            example("AdaptiveAvgPool2d", adaptive, to: 8, by: "GlobalAveragePool"),
            example(
                "SPP",
                w.common("SPP", [("cv1", w.block(8, 4)), ("cv2", w.block(12, 8)), ("m", w.list([pool, pool]))]),
                to: 8,
                by: "\(block) MaxPool MaxPool Concat \(block)"
            ),
            example(
                "SPPF",
                w.common("SPPF", [("cv1", w.block(8, 4)), ("cv2", w.block(16, 8)), ("m", pool)]),
                to: 8,
                by: "\(block) MaxPool MaxPool MaxPool Concat \(block)"
            ),
            example(
                "SPPF",
                w.ultralytics(
                    "SPPF",
                    [("cv1", w.block(8, 4, act: "Identity")), ("cv2", w.block(12, 8)), ("m", pool)],
                    [("n", .integer(2)), ("add", .boolean(true))]
                ),
                to: 8,
                by: "Conv MaxPool MaxPool Concat \(block) Add"
            ),
            example(
                "SPPELAN",
                w.ultralytics(
                    "SPPELAN",
                    [("cv1", w.block(8, 4)), ("cv5", w.block(16, 8))] + ["cv2", "cv3", "cv4"].map { ($0, pool) }
                ),
                to: 8,
                by: "\(block) MaxPool MaxPool MaxPool Concat \(block)"
            ),
            example(
                "AConv",
                w.ultralytics("AConv", [("cv1", w.block(8, 12, kernel: 3, stride: 2))]),
                to: 12,
                by: "AveragePool \(block)"
            ),
            example(
                "ADown",
                w.ultralytics("ADown", [("cv1", w.block(4, 6, kernel: 3, stride: 2)), ("cv2", w.block(4, 6))]),
                to: 12,
                by: "AveragePool Split \(block) MaxPool \(block) Concat"
            ),
        ]
    }

    static var resamplings: [ModuleCase] {
        let w = NetworkWriter()
        func upsample(_ name: String, _ mode: String) -> Pickled {
            w.module(
                "torch.nn.modules.upsampling.\(name)",
                [("size", .none), ("scale_factor", .real(2)), ("mode", .text(mode)), ("align_corners", .none)]
            )
        }
        func pad(_ name: String) -> Pickled {
            w.module("torch.nn.modules.padding.\(name)", [("padding", .integers([0, 1, 0, 1])), ("value", .real(0))])
        }
        return [
            example("Upsample", upsample("Upsample", "nearest"), to: 8, by: "Resize"),
            example("UpsamplingNearest2d", upsample("UpsamplingNearest2d", "nearest"), to: 8, by: "Resize"),
            example("UpsamplingBilinear2d", upsample("UpsamplingBilinear2d", "bilinear"), to: 8, by: "Resize"),
            example("ZeroPad2d", pad("ZeroPad2d"), to: 8, by: "Pad"),
            example("ConstantPad2d", pad("ConstantPad2d"), to: 8, by: "Pad"),
            example("Contract", w.common("Contract", [], [("gain", .integer(2))]), to: 32, by: "SpaceToDepth"),
            example("Expand", w.common("Expand", [], [("gain", .integer(2))]), to: 2, by: "DepthToSpace"),
        ]
    }

    static var joinings: [ModuleCase] {
        let w = NetworkWriter()
        let split = w.ultralytics(
            "CBLinear",
            [("conv", w.convolution(8, 12))],
            [("c2s", .list([.integer(4), .integer(8)]))]
        )
        let fuse = w.ultralytics("CBFuse", [], [("idx", .list([.integer(0)]))])
        let weighted = w.module(
            "models.experimental.Sum",
            parameters: [("w", w.tensor([2]))],
            [("weight", .boolean(true))]
        )
        return [
            example("Sequential", w.sequential([w.block(8, 4), w.block(4, 6)]), to: 6, by: "\(block) \(block)"),
            example("Sequential", w.sequential([]), to: 8, by: ""),
            example("Concat", w.common("Concat", [], [("d", .integer(1))]), from: [8, 4], to: 12, by: "Concat"),
            example("Sum", weighted, from: [8, 8, 8], to: 8, by: "Mul Add Mul Add"),
            example(
                "Sum",
                w.module("models.experimental.Sum", [("weight", .boolean(false))]),
                from: [8, 8],
                to: 8,
                by: "Add"
            ),
            example("CBLinear", split, to: 4, 8, by: "Conv Split"),
            example("CBFuse", fuse, from: [8, 8], to: 8, by: "Shape Shape Gather Gather Concat Resize Add"),
        ]
    }
}
