// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

@testable import NereidCheckpoints

private let block = "Conv Sigmoid Mul"
private let bottleneck = "\(block) \(block) Add"

extension ModuleTests {
    private static func example(
        _ className: String,
        _ module: Pickled,
        to outputs: Int,
        by operations: String
    ) -> ModuleCase {
        ModuleCase(className: className, module: module, outputs: [outputs], operations: operations)
    }

    static var blocks: [ModuleCase] {
        let w = NetworkWriter()
        func three(_ name: String, _ middle: Pickled) -> Pickled {
            let modules = [("cv1", w.block(8, 4)), ("cv2", w.block(8, 4)), ("cv3", w.block(8, 6))]
            return w.common(name, modules + [("m", w.sequential([middle]))])
        }
        func stages(_ name: String, _ stage: Pickled) -> Pickled {
            w.ultralytics(name, [("cv1", w.block(8, 8)), ("cv2", w.block(12, 6)), ("m", w.list([stage]))])
        }
        func halves(_ name: String, _ middle: Pickled) -> Pickled {
            w.ultralytics(name, [("cv1", w.block(8, 8)), ("cv2", w.block(8, 6)), ("m", middle)])
        }
        let ghost = w.common("GhostConv", [("cv1", w.block(8, 2)), ("cv2", w.block(2, 2, kernel: 5, groups: 2))])
        let elan = [("cv1", w.block(8, 8)), ("cv2", w.block(4, 4)), ("cv3", w.block(4, 4)), ("cv4", w.block(16, 6))]
        let partial = w.common(
            "BottleneckCSP",
            [
                ("cv1", w.block(8, 4)), ("cv2", w.convolution(8, 4, hasBias: false)),
                ("cv3", w.convolution(4, 4, hasBias: false)), ("cv4", w.block(8, 6)), ("bn", w.normalisation(8)),
                ("act", w.activation("LeakyReLU")), ("m", w.sequential([w.bottleneck(4)])),
            ]
        )
        let inverted = w.ultralytics(
            "CIB",
            [("cv1", w.sequential([w.block(4, 8), w.block(8, 4)]))],
            [("add", .boolean(true))]
        )
        let c3 = "\(block) \(bottleneck) \(block) Concat \(block)"
        return [
            example("Bottleneck", w.bottleneck(8), to: 8, by: bottleneck),
            example("Bottleneck", w.bottleneck(8, adds: false), to: 8, by: "\(block) \(block)"),
            example(
                "RepBottleneck",
                w.ultralytics(
                    "RepBottleneck",
                    [("cv1", w.block(8, 4)), ("cv2", w.block(4, 8))],
                    [("add", .boolean(true))]
                ),
                to: 8,
                by: bottleneck
            ),
            example("CIB", w.sequential([w.block(8, 4), inverted]), to: 4, by: "\(block) \(block) \(block) Add"),
            example("BottleneckCSP", partial, to: 6, by: "\(block) \(bottleneck) Conv Conv Concat LeakyRelu \(block)"),
            example("C3", three("C3", w.bottleneck(4)), to: 6, by: c3),
            example("C3k", three("C3k", w.bottleneck(4)), to: 6, by: c3),
            example("RepCSP", three("RepCSP", w.bottleneck(4)), to: 6, by: c3),
            example("C3x", three("C3x", w.block(4, 4)), to: 6, by: "\(block) \(block) \(block) Concat \(block)"),
            example("C3SPP", three("C3SPP", w.block(4, 4)), to: 6, by: "\(block) \(block) \(block) Concat \(block)"),
            example("C3Ghost", three("C3Ghost", w.bottleneck(4)), to: 6, by: c3),
            example(
                "RepC3",
                w.ultralytics(
                    "RepC3",
                    [
                        ("cv1", w.block(8, 4)), ("cv2", w.block(8, 4)), ("cv3", w.activation("Identity")),
                        ("m", w.block(4, 4)),
                    ]
                ),
                to: 4,
                by: "\(block) \(block) \(block) Add"
            ),
            example(
                "C1",
                w.ultralytics("C1", [("cv1", w.block(8, 6)), ("m", w.block(6, 6))]),
                to: 6,
                by: "\(block) \(block) Add"
            ),
            example("C2", halves("C2", w.block(4, 4)), to: 6, by: "\(block) Split \(block) Concat \(block)"),
            example("C2PSA", halves("C2PSA", w.block(4, 4)), to: 6, by: "\(block) Split \(block) Concat \(block)"),
            example("C2f", stages("C2f", w.bottleneck(4)), to: 6, by: "\(block) Split \(bottleneck) Concat \(block)"),
            example("C3k2", stages("C3k2", w.block(4, 4)), to: 6, by: "\(block) Split \(block) Concat \(block)"),
            example("C2fPSA", stages("C2fPSA", w.block(4, 4)), to: 6, by: "\(block) Split \(block) Concat \(block)"),
            example(
                "C2fCIB",
                stages("C2fCIB", inverted),
                to: 6,
                by: "\(block) Split \(block) \(block) Add Concat \(block)"
            ),
            example(
                "RepNCSPELAN4",
                w.ultralytics("RepNCSPELAN4", elan),
                to: 6,
                by: "\(block) Split \(block) \(block) Concat \(block)"
            ),
            example(
                "ELAN1",
                w.ultralytics("ELAN1", elan),
                to: 6,
                by: "\(block) Split \(block) \(block) Concat \(block)"
            ),
            example("GhostConv", ghost, to: 4, by: "\(block) \(block) Concat"),
            example(
                "GhostBottleneck",
                w.common("GhostBottleneck", [("conv", ghost), ("shortcut", w.block(8, 4))]),
                to: 4,
                by: "\(block) \(block) Concat \(block) Add"
            ),
        ]
    }

    static var attentions: [ModuleCase] {
        let w = NetworkWriter()
        let core = "Mul Transpose MatMul Softmax Transpose MatMul"
        let attention = "Conv Reshape Split \(core) Shape Reshape Shape Reshape Conv Add Conv"
        let area = "Conv Reshape Transpose Split \(core) Transpose Shape Reshape Transpose Shape Reshape Conv Add Conv"
        let layer = "Conv Conv Reshape Conv Conv Reshape Conv Conv Reshape \(core) Shape Reshape Conv Add Conv Conv Add"
        let forward = w.sequential([w.block(8, 16), w.block(16, 8, act: "Identity")])
        func areaStages(gain: Pickled) -> Pickled {
            w.ultralytics(
                "A2C2f",
                [("cv1", w.block(8, 4)), ("cv2", w.block(8, 8)), ("m", w.list([w.block(4, 4)]))],
                parameters: [("gamma", gain)]
            )
        }
        let psa = w.ultralytics(
            "PSA",
            [("cv1", w.block(8, 16)), ("cv2", w.block(16, 6)), ("attn", w.attention(8)), ("ffn", forward)]
        )
        return [
            example("Attention", w.attention(8), to: 8, by: attention),
            example(
                "PSABlock",
                w.ultralytics("PSABlock", [("attn", w.attention(8)), ("ffn", forward)], [("add", .boolean(true))]),
                to: 8,
                by: "\(attention) Add \(block) Conv Add"
            ),
            example(
                "PSA",
                psa,
                to: 6,
                by: "\(block) Split \(attention) Add \(block) Conv Add Concat \(block)"
            ),
            example("AAttn", w.areaAttention(8, areas: 4), to: 8, by: area),
            example("ABlock", w.areaBlock(8), to: 8, by: "\(area) Add \(block) Conv Add"),
            example("A2C2f", areaStages(gain: .none), to: 8, by: "\(block) \(block) Concat \(block)"),
            example("A2C2f", areaStages(gain: w.tensor([8])), to: 8, by: "\(block) \(block) Concat \(block) Mul Add"),
            example("TransformerLayer", w.transformerLayer(8), to: 8, by: layer),
            example(
                "TransformerBlock",
                w.common(
                    "TransformerBlock",
                    [
                        ("conv", w.block(8, 6)), ("linear", w.linear(6, 6)),
                        ("tr", w.sequential([w.transformerLayer(6)])),
                    ]
                ),
                to: 6,
                by: "\(block) Conv Add \(layer)"
            ),
            example(
                "C3TR",
                w.common(
                    "C3TR",
                    [
                        ("cv1", w.block(8, 4)), ("cv2", w.block(8, 4)), ("cv3", w.block(8, 6)),
                        (
                            "m",
                            w.common(
                                "TransformerBlock",
                                [("linear", w.linear(4, 4)), ("tr", w.sequential([w.transformerLayer(4)]))]
                            )
                        ),
                    ]
                ),
                to: 6,
                by: "\(block) Conv Add \(layer) \(block) Concat \(block)"
            ),
        ]
    }
}
