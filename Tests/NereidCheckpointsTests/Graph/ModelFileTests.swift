// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidCheckpoints

@Suite("ONNX files")
struct ModelFileTests {
    private func weights(_ shape: [Int]) -> Weights {
        let count = shape.reduce(1, *)
        return Weights(shape: shape, count: count) { (0..<count).map { Float($0) / 2 } }
    }

    private func file(precision: WeightPrecision = .float32, weightCount: Int = 6) throws -> ModelFile {
        var graph = GraphBuilder(precision: precision)
        let input = graph.input("images", ["batch", 3])
        let weights = graph.weights(weights([weightCount]), named: "layer.weight")
        let product = graph.product(input, weights, at: "layer")
        let sum = graph.sum(product, graph.real(2), at: "layer")
        graph.output(sum, named: "result", [.batch, 3])
        return try graph.finished(metadata: [("names", "{0: 'å'}")], producerVersion: "1")
    }

    @Test("what is written piece by piece is one protobuf message", arguments: [6, 40, 5_000, 600_000])
    func pieces(weightCount: Int) throws {
        let file = try file(weightCount: weightCount)
        var bytes: [UInt8] = []
        try file.write { bytes += $0 }
        #expect(bytes.count == file.byteCount)

        let graph = try ReadGraph(bytes)
        #expect(graph.model.irVersion == 8)
        #expect(graph.model.opsetImport.map(\.version) == [17])
        #expect(graph.model.producerName == "nereid")
        #expect(graph.metadata == ["names": "{0: 'å'}"])
        #expect(graph.operations == ["Mul", "Add"])
        #expect(graph.model.graph.node.map(\.name) == ["layer/Mul", "layer/Add"])
        #expect(graph.shape("result") == ["batch", "3"])
        #expect(graph.initialiser("layer.weight")?.dims == [Int64(weightCount)])
        #expect(graph.floats("layer.weight")?.prefix(4) == [0, 0.5, 1, 1.5])
        #expect(graph.floats("layer.weight")?.count == weightCount)
        #expect(graph.floats("constant") == [2])
        #expect(graph.misplacedNames == [])
    }

    @Test("half precision takes half the bytes and is widened in the graph")
    func halfPrecision() throws {
        let graph = try ReadGraph(file(precision: .float16))
        let weight = try #require(graph.initialiser("layer.weight"))
        #expect(weight.dataType == 10)
        #expect(weight.rawData == Data([0, 0, 0, 0x38, 0, 0x3C, 0, 0x3E, 0, 0x40, 0, 0x41]))
        #expect(graph.operations == ["Cast", "Mul", "Add"])
        #expect(graph.model.graph.node[0].attribute.map(\.i) == [1])
    }

    @Test("equal constants are one, equal names become different")
    func sharing() throws {
        var graph = GraphBuilder()
        let input = graph.input("images", ["batch"])
        #expect(graph.real(1) == graph.real(1))
        #expect(graph.integers([1, 2]) == graph.integers([1, 2]))
        #expect(graph.integers([1]) != graph.integer(1))
        #expect(graph.real(1) != graph.reals([1], shape: [1]))
        #expect(graph.real(0) != graph.real(-0.0))
        let names = (0..<3).map { _ in graph.sum(input, input, at: "images").name }
        #expect(names == ["images/Add", "images/Add_2", "images/Add_3"])
        #expect(graph.numbers([1], named: "images").name == "images_2")
    }

    @Test("a value that is given out twice, or is an input, is copied")
    func outputsOfOneValue() throws {
        var graph = GraphBuilder()
        let input = graph.input("images", ["batch"])
        let sum = graph.sum(input, input, at: "a")
        let next = graph.sum(sum, sum, at: "b")
        graph.output(sum, named: "first", ["batch"])
        graph.output(sum, named: "second", ["batch"])
        graph.output(input, named: "same", ["batch"])
        graph.output(next, named: "next", ["batch"])
        let read = try ReadGraph(graph.finished(metadata: [], producerVersion: "1"))
        #expect(read.outputs == ["first", "second", "same", "next"])
        #expect(read.operations == ["Add", "Add", "Identity", "Identity"])
        #expect(read.model.graph.node[1].input == ["first", "first"])
        #expect(read.misplacedNames == [])
    }

    @Test("a graph that no reader would take is refused before anything is computed")
    func tooLarge() throws {
        var graph = GraphBuilder()
        _ = graph.weights(Weights(shape: [1 << 29], count: 1 << 29) { [] }, named: "weight")
        let error = #expect(throws: ConversionError.self) { try graph.finished(metadata: [], producerVersion: "1") }
        #expect(error?.description.contains("ONNX files end at 2147483647") == true)
    }
}
