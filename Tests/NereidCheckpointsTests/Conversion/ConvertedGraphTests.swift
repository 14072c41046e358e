// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidCheckpoints

/// How graphs are written out.
@Suite("Converted graphs")
struct ConvertedGraphTests {
    private func converted(_ options: ConversionOptions = ConversionOptions()) throws -> ConvertedGraph {
        let writer = NetworkWriter()
        let root = Pickled.entries(["model": writer.network(writer.anchorHead())])
        return try CheckpointConverter.convert(root.opened(), options: options)
    }

    @Test("a file holds the same bytes, and nothing else is left behind")
    func file() throws {
        let folder = try TemporaryFolder()
        let graph = try converted()
        let path = try folder.write("an older graph", to: "model.onnx")
        try graph.write(toFile: path)
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: path))) == graph.bytes())
        #expect(try graph.bytes().count == graph.byteCount)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["model.onnx"])
    }

    @Test("the same checkpoint gives the same bytes")
    func determinism() throws {
        #expect(try converted().bytes() == converted().bytes())
    }

    @Test("a place that can't be written to")
    func unwritable() throws {
        let folder = try TemporaryFolder()
        let graph = try converted()
        let error = #expect(throws: ConversionError.self) { try graph.write(toFile: folder.path("none/model.onnx")) }
        #expect(error?.description.contains("none/model.onnx’ cannot be written: no file can be made in ‘") == true)
        // A folder stands where the file should come.
        try folder.write("x", to: "taken/file")
        #expect(throws: ConversionError.self) { try graph.write(toFile: folder.path("taken")) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["taken"])
    }

    @Test("half precision halves the weights")
    func halfPrecision() throws {
        let (single, half) = (try converted(), try converted(ConversionOptions(precision: .float16)))
        let weights = try ReadGraph(single).model.graph.initializer.filter { $0.name.hasSuffix(".weight") }
        let saved = weights.reduce(0) { $0 + $1.rawData.count } / 2
        #expect(half.byteCount < single.byteCount - saved + 1_000)
        let graph = try ReadGraph(half)
        #expect(graph.initialiser("model.0.conv.weight")?.dataType == 10)
        #expect(graph.initialiser("model.0.conv.bias")?.dataType == 1)
        #expect(graph.operations.count { $0 == "Cast" } == weights.count)
        #expect(graph.misplacedNames == [])
    }

    @Test("weights come one layer at a time, whatever the size of the network")
    func streaming() throws {
        let writer = NetworkWriter()
        writer.isHalf = true
        let layers = (0..<12).map { _ in writer.block(64, 64, kernel: 3) }
        let head = writer.anchorHead(
            [("f", .list([.integer(12), .integer(13)]))]
        )
        let network = writer.model(
            [writer.block(3, 64)] + layers.dropLast() + [
                writer.block(64, 4, [("f", .integer(-1))]), writer.block(4, 8), head,
            ]
        )
        let graph = try CheckpointConverter.convert(Pickled.entries(["model": network]).opened())
        let largestLayer = 64 * 64 * 9 * MemoryLayout<Float>.size
        #expect(graph.byteCount > 11 * largestLayer)
        var largestPiece = 0
        try graph.file.write { largestPiece = max(largestPiece, $0.count) }
        #expect(largestPiece == largestLayer)
    }

    @Test("weights that are used over and over don't fill the memory")
    func repeatedWeights() throws {
        let writer = NetworkWriter()
        // One convolution of 256 kB, remembered, then used as a thousand layers: a file of 300 kB, a graph of 256 MB.
        var pickle = PickleWriter()
        pickle.write(writer.block(256, 256))
        pickle.write(opcodes: [0x71, 1, 0x30])
        let again = Pickled.opcodes([0x68, 1])
        let layers =
            [writer.block(3, 256)] + Array(repeating: again, count: 1_000)
            + [writer.block(256, 4), writer.block(4, 8)]
        let head = writer.anchorHead([("f", .list([.integer(1_001), .integer(1_002)]))])
        pickle.write(writer.model(layers + [head]))
        pickle.write(opcodes: [0x2E])
        var checkpoint = SavedCheckpoint(.none)
        checkpoint.pickle = pickle
        let opened = try checkpoint.open()
        #expect(opened.byteCount < 1 << 20)
        let error = #expect(throws: ConversionError.self) { try CheckpointConverter.convert(opened) }
        #expect(error?.description.contains("its weights are used over and over") == true)
    }
}
