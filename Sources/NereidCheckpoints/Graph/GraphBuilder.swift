// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// What a node of the graph makes, or what goes into the graph.
struct GraphValue: Sendable, Hashable {
    let name: String
}

/// A value of shape `[batch, channels, height, width]`.
struct FeatureMap: Sendable, Hashable {
    let value: GraphValue
    let channels: Int
}

/// Builds a graph node by node.
///
/// Nodes and weights are named by the place of their module in the network, so that a graph can be read next to the
/// framework's code: `model.9.cv1/Conv`, `model.9.cv1.weight`.
struct GraphBuilder: Sendable {
    /// The version of ONNX's operators that graphs are written in.
    static let operatorSet = 17
    /// The version of the format, the one that came with the operators.
    static let formatVersion = 8

    /// A setting of an operation.
    enum Attribute {
        case integer(String, Int)
        case integers(String, [Int])
        case real(String, Float)
        case text(String, String)
    }

    /// How large a dimension of the graph's inputs and outputs is.
    enum Dimension: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
        case fixed(Int)
        /// Any size, the same wherever the name is used.
        case free(String)

        init(stringLiteral name: String) { self = .free(name) }
        init(integerLiteral size: Int) { self = .fixed(size) }
    }

    private let precision: WeightPrecision
    private var nodes: [Onnx_NodeProto] = []
    private var initialisers: [Initialiser] = []
    private var inputs: [Onnx_ValueInfoProto] = []
    private var outputs: [Onnx_ValueInfoProto] = []
    /// The value behind each output's name.
    private var outputValues: [(name: String, value: GraphValue)] = []
    private var constants: [Constant: GraphValue] = [:]
    private var uses: [String: Int] = [:]

    private enum Constant: Hashable {
        case integers([Int64], shape: [Int])
        case floats([UInt32], shape: [Int])
    }

    init(precision: WeightPrecision = .float32) {
        self.precision = precision
    }

    // MARK: What goes in and out

    mutating func input(_ name: String, _ shape: [Dimension]) -> GraphValue {
        inputs.append(Self.description(name, shape))
        uses[name] = 1
        return GraphValue(name: name)
    }

    mutating func output(_ value: GraphValue, named name: String, _ shape: [Dimension]) {
        outputs.append(Self.description(name, shape))
        outputValues.append((name, value))
    }

    /// The names of all outputs so far, in order.
    var outputNames: [String] { outputValues.map(\.name) }

    private static func description(_ name: String, _ shape: [Dimension]) -> Onnx_ValueInfoProto {
        var tensor = Onnx_TypeProto.Tensor()
        tensor.elemType = Int32(Onnx_TensorProto.DataType.float.rawValue)
        tensor.shape.dim = shape.map { size in
            var dimension = Onnx_TensorShapeProto.Dimension()
            switch size {
            case .fixed(let size): dimension.dimValue = Int64(size)
            case .free(let name): dimension.dimParam = name
            }
            return dimension
        }
        var description = Onnx_ValueInfoProto()
        description.name = name
        description.type.tensorType = tensor
        return description
    }

    // MARK: Nodes

    /// Adds an operation with one output.
    mutating func add(
        _ operation: String,
        _ inputs: [GraphValue],
        _ attributes: [Attribute] = [],
        at path: String
    ) -> GraphValue {
        add(operation, inputs, attributes, at: path, outputs: 1)[0]
    }

    /// Adds an operation with several outputs.
    mutating func add(
        _ operation: String,
        _ inputs: [GraphValue],
        _ attributes: [Attribute] = [],
        at path: String,
        outputs count: Int
    ) -> [GraphValue] {
        var node = Onnx_NodeProto()
        node.name = uniqueName("\(path)/\(operation)")
        node.opType = operation
        node.input = inputs.map(\.name)
        node.output = count == 1 ? [node.name] : (0..<count).map { "\(node.name)#\($0)" }
        node.attribute = attributes.map(\.message)
        nodes.append(node)
        return node.output.map(GraphValue.init)
    }

    // MARK: Constants

    /// Weights under their name in the checkpoint, in the precision that was asked for.
    mutating func weights(_ weights: Weights, named name: String) -> GraphValue {
        let value = add(Content.weights(weights, precision), weights.shape, named: name)
        guard precision == .float16 else { return value }
        return add("Cast", [value], [.integer("to", Onnx_TensorProto.DataType.float.rawValue)], at: name)
    }

    /// Numbers under a name of their own, always float32: biases, where precision costs nothing.
    mutating func numbers(_ numbers: [Float], named name: String) -> GraphValue {
        add(.floats(numbers), [numbers.count], named: name)
    }

    /// Integers as a vector, the same value for the same integers.
    mutating func integers(_ numbers: [Int]) -> GraphValue {
        constant(numbers, shape: [numbers.count])
    }

    /// An integer as a scalar.
    mutating func integer(_ number: Int) -> GraphValue {
        constant([number], shape: [])
    }

    /// Numbers of a shape, the same value for the same numbers.
    mutating func reals(_ numbers: [Float], shape: [Int]) -> GraphValue {
        let key = Constant.floats(numbers.map(\.bitPattern), shape: shape)
        if let known = constants[key] { return known }
        let value = add(.floats(numbers), shape, named: "constant")
        constants[key] = value
        return value
    }

    /// A number as a scalar.
    mutating func real(_ number: Float) -> GraphValue {
        reals([number], shape: [])
    }

    private mutating func constant(_ numbers: [Int], shape: [Int]) -> GraphValue {
        let numbers = numbers.map(Int64.init)
        let key = Constant.integers(numbers, shape: shape)
        if let known = constants[key] { return known }
        let value = add(.integers(numbers), shape, named: "constant")
        constants[key] = value
        return value
    }

    private typealias Content = Initialiser.Content

    private mutating func add(_ content: Content, _ shape: [Int], named name: String) -> GraphValue {
        let name = uniqueName(name)
        initialisers.append(Initialiser(name: name, shape: shape, content: content))
        return GraphValue(name: name)
    }

    private mutating func uniqueName(_ name: String) -> String {
        var candidate = name
        while true {
            let count = uses[candidate, default: 0]
            uses[candidate] = count + 1
            if count == 0 { return candidate }
            candidate = "\(name)_\(count + 1)"
        }
    }

    // MARK: The whole

    /// The model with its metadata.
    ///
    /// - Throws: ``ConversionError/graphTooLarge(byteCount:limit:)``.
    func finished(metadata: [(key: String, value: String)], producerVersion: String) throws -> ModelFile {
        var graph = Onnx_GraphProto()
        graph.name = "network"
        graph.input = inputs
        graph.output = outputs
        graph.node = nodesWithNamedOutputs()

        var model = Onnx_ModelProto()
        model.irVersion = Int64(Self.formatVersion)
        model.producerName = "nereid"
        model.producerVersion = producerVersion
        model.opsetImport = [
            Onnx_OperatorSetIdProto.with {
                $0.domain = ""; $0.version = Int64(Self.operatorSet)
            }
        ]
        model.metadataProps = metadata.map { entry in
            Onnx_StringStringEntryProto.with {
                $0.key = entry.key; $0.value = entry.value
            }
        }
        return try ModelFile(model: model, graph: graph, initialisers: initialisers)
    }

    /// A value takes the name of the output that it is; further outputs of the same value are copies.
    private func nodesWithNamedOutputs() -> [Onnx_NodeProto] {
        var newNames: [String: String] = [:]
        var copies: [(from: String, to: String)] = []
        let inputNames = Set(inputs.map(\.name))
        for (name, value) in outputValues {
            if newNames[value.name] == nil, !inputNames.contains(value.name) {
                newNames[value.name] = name
            } else {
                copies.append((value.name, name))
            }
        }
        var nodes = nodes
        for index in nodes.indices {
            nodes[index].input = nodes[index].input.map { newNames[$0] ?? $0 }
            nodes[index].output = nodes[index].output.map { newNames[$0] ?? $0 }
        }
        for (value, name) in copies {
            nodes.append(
                .with {
                    $0.name = "\(name)/Identity"
                    $0.opType = "Identity"
                    $0.input = [newNames[value] ?? value]
                    $0.output = [name]
                }
            )
        }
        return nodes
    }
}

extension GraphBuilder.Attribute {
    fileprivate var message: Onnx_AttributeProto {
        var message = Onnx_AttributeProto()
        switch self {
        case .integer(let name, let number):
            (message.name, message.type, message.i) = (name, .int, Int64(number))
        case .integers(let name, let numbers):
            (message.name, message.type, message.ints) = (name, .ints, numbers.map(Int64.init))
        case .real(let name, let number):
            (message.name, message.type, message.f) = (name, .float, number)
        case .text(let name, let text):
            (message.name, message.type, message.s) = (name, .string, Data(text.utf8))
        }
        return message
    }
}
