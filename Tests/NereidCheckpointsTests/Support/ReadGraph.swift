// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import SwiftProtobuf

@testable import NereidCheckpoints

/// A graph read back from its bytes by swift-protobuf alone.
struct ReadGraph {
    let model: Onnx_ModelProto

    init(_ bytes: [UInt8]) throws {
        model = try Onnx_ModelProto(serializedBytes: bytes)
    }

    init(_ converted: ConvertedGraph) throws {
        try self.init(converted.bytes())
    }

    init(_ file: ModelFile) throws {
        var bytes: [UInt8] = []
        try file.write { bytes += $0 }
        try self.init(bytes)
    }

    var operations: [String] { model.graph.node.map(\.opType) }
    var outputs: [String] { model.graph.output.map(\.name) }

    var metadata: [String: String] {
        Dictionary(model.metadataProps.map { ($0.key, $0.value) }) { first, _ in first }
    }

    /// The dimensions of an output: numbers, or names of free ones.
    func shape(_ name: String) -> [String]? {
        model.graph.output.first { $0.name == name }?.type.tensorType.shape.dim.map { dimension in
            dimension.hasDimValue ? String(dimension.dimValue) : dimension.dimParam
        }
    }

    func initialiser(_ name: String) -> Onnx_TensorProto? {
        model.graph.initializer.first { $0.name == name }
    }

    /// The elements of a float32 initialiser.
    func floats(_ name: String) -> [Float]? {
        initialiser(name).map { initialiser in
            initialiser.rawData.withUnsafeBytes { bytes in
                (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
            }
        }
    }

    /// What stands before its definition or is defined twice, which a graph may not have.
    var misplacedNames: [String] {
        var known = Set(model.graph.input.map(\.name) + model.graph.initializer.map(\.name) + [""])
        var misplaced: [String] =
            known.count == model.graph.input.count + model.graph.initializer.count + 1 ? [] : ["twice"]
        for node in model.graph.node {
            misplaced += node.input.filter { !known.contains($0) }
            misplaced += node.output.filter { known.contains($0) }
            known.formUnion(node.output)
        }
        return misplaced + outputs.filter { !known.contains($0) }
    }
}

extension Onnx_TensorShapeProto.Dimension {
    fileprivate var hasDimValue: Bool {
        if case .dimValue = value { true } else { false }
    }
}
