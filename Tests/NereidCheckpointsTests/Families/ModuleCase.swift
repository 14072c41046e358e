// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

/// A module, what goes into it, and what it has to become.
struct ModuleCase: Sendable, CustomTestStringConvertible {
    let className: String
    let module: Pickled
    /// The channels of each input.
    var inputs = [8]
    /// The channels of what comes out.
    let outputs: [Int]
    /// The operations, in order.
    let operations: String

    var testDescription: String { "\(className) → \(operations)" }

    /// Translates the module and reads the graph back.
    func translated() throws -> (maps: [FeatureMap], graph: ReadGraph) {
        let checkpoint = try Pickled.entries(["model": module]).opened()
        let value = try #require(checkpoint.root["model"])
        var graph = GraphBuilder()
        let maps = inputs.enumerated().map { index, channels in
            FeatureMap(
                value: graph.input("input\(index)", [.batch, .fixed(channels), "height", "width"]),
                channels: channels
            )
        }
        var network = NetworkTranslator(graph: graph)
        let outputs = try network.translate(Module(value, path: "model.0"), several: maps.map { [$0] })
        for (index, map) in outputs.enumerated() {
            network.graph.output(map, named: "output\(index)", height: "rows", width: "columns")
        }
        return (outputs, try ReadGraph(network.graph.finished(metadata: [], producerVersion: "1")))
    }
}

extension NetworkWriter {
    /// A module of a class in YOLOv5's `models.common`.
    func common(
        _ name: String,
        _ modules: [(String, Pickled)],
        _ attributes: [(String, Pickled)] = []
    ) -> Pickled {
        module("models.common.\(name)", modules: modules, attributes)
    }

    /// A module of a class in Ultralytics' `nn.modules.block`.
    func ultralytics(
        _ name: String,
        _ modules: [(String, Pickled)],
        parameters: [(String, Pickled)] = [],
        _ attributes: [(String, Pickled)] = []
    ) -> Pickled {
        module("ultralytics.nn.modules.block.\(name)", modules: modules, parameters: parameters, attributes)
    }

    func attention(_ channels: Int) -> Pickled {
        ultralytics(
            "Attention",
            [
                ("qkv", block(channels, 2 * channels, act: "Identity")),
                ("proj", block(channels, channels, act: "Identity")),
                ("pe", block(channels, channels, kernel: 3, groups: channels, act: "Identity")),
            ],
            [
                ("num_heads", .integer(2)), ("head_dim", .integer(channels / 2)), ("key_dim", .integer(channels / 4)),
                ("scale", .real(0.5)),
            ]
        )
    }

    func areaAttention(_ channels: Int, areas: Int) -> Pickled {
        ultralytics(
            "AAttn",
            [
                ("qkv", block(channels, 3 * channels, act: "Identity")),
                ("proj", block(channels, channels, act: "Identity")),
                ("pe", block(channels, channels, kernel: 7, groups: channels, act: "Identity")),
            ],
            [("num_heads", .integer(2)), ("head_dim", .integer(channels / 2)), ("area", .integer(areas))]
        )
    }

    func areaBlock(_ channels: Int) -> Pickled {
        let mlp = sequential([block(channels, 2 * channels), block(2 * channels, channels, act: "Identity")])
        return ultralytics("ABlock", [("attn", areaAttention(channels, areas: 4)), ("mlp", mlp)])
    }

    func transformerLayer(_ channels: Int) -> Pickled {
        let attention = module(
            "torch.nn.modules.activation.MultiheadAttention",
            modules: [("out_proj", linear(channels, channels))],
            parameters: [
                ("in_proj_weight", tensor([3 * channels, channels])), ("in_proj_bias", tensor([3 * channels])),
                ("bias_k", .none), ("bias_v", .none),
            ],
            [("num_heads", .integer(2)), ("add_zero_attn", .boolean(false))]
        )
        let modules = ["q", "k", "v"].map { ($0, linear(channels, channels, hasBias: false)) }
        return common(
            "TransformerLayer",
            modules + [
                ("ma", attention), ("fc1", linear(channels, channels, hasBias: false)),
                ("fc2", linear(channels, channels, hasBias: false)),
            ]
        )
    }
}
