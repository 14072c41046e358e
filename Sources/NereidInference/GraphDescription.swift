// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// One length in the shape of a graph's input or output.
public enum Dimension: Sendable, Hashable, CustomStringConvertible {
    /// A length that the graph fixes.
    case fixed(Int)
    /// A length that each run chooses, with the name the graph gives it, if any.
    case free(name: String?)

    /// The length, the name of a free dimension, or `?` for a free dimension without a name.
    public var description: String {
        switch self {
        case .fixed(let length): String(length)
        case .free(let name): name ?? "?"
        }
    }

    /// Whether a tensor may have this length here.
    func admits(_ length: Int) -> Bool {
        switch self {
        case .fixed(let fixed): fixed == length
        case .free: true
        }
    }
}

/// What a graph takes or gives at one of its inputs or outputs.
public struct TensorDescription: Sendable, Hashable, CustomStringConvertible {
    /// The name in the graph.
    public let name: String
    /// The kind of number, or `nil` when it is one that Nereid does not carry.
    public let elementType: ElementType?
    /// The engine's name for the kind of number, known even where `elementType` is `nil`, such as `float64`.
    public let elementTypeName: String
    /// The lengths, outermost first.
    public let shape: [Dimension]

    /// Describes an input or output whose elements Nereid carries.
    public init(name: String, elementType: ElementType, shape: [Dimension]) {
        self.name = name
        self.elementType = elementType
        self.elementTypeName = elementType.rawValue
        self.shape = shape
    }

    /// Describes an input or output of a kind that Nereid does not carry.
    public init(name: String, elementTypeName: String, shape: [Dimension]) {
        self.name = name
        self.elementType = nil
        self.elementTypeName = elementTypeName
        self.shape = shape
    }

    /// Name, kind and shape, such as `images float32[batch,3,640,640]`.
    public var description: String {
        "\(name) \(elementTypeName)[\(shape.map(\.description).joined(separator: ","))]"
    }

    /// Whether a tensor of this kind and shape may be passed here.
    func admits(_ tensor: Tensor) -> Bool {
        tensor.elementType == elementType
            && tensor.shape.count == shape.count
            && zip(shape, tensor.shape).allSatisfy { $0.admits($1) }
    }
}

/// What a loaded graph says about itself.
public struct GraphDescription: Sendable, Hashable {
    /// What each run takes, in the order in which ``Session/run(_:)`` expects it.
    public let inputs: [TensorDescription]
    /// What each run gives, in the order of ``SessionRun/outputs``.
    public let outputs: [TensorDescription]
    /// Notes that whoever exported the graph left in it, such as the class names (ONNX `metadata_props`).
    public let metadata: [String: String]

    /// Describes a graph.
    public init(inputs: [TensorDescription], outputs: [TensorDescription], metadata: [String: String] = [:]) {
        self.inputs = inputs
        self.outputs = outputs
        self.metadata = metadata
    }

    /// Refuses a run that cannot succeed, before an engine is asked, so that the answer names the input and prints both
    /// shapes.
    ///
    /// - Throws: ``InferenceError/inputCountMismatch(model:expected:given:)``,
    ///   ``InferenceError/inputMismatch(model:expected:given:)``,
    ///   ``InferenceError/outputUnsupported(model:output:)``.
    public func check(_ tensors: [Tensor], model: String) throws(InferenceError) {
        guard tensors.count == inputs.count else {
            throw .inputCountMismatch(model: model, expected: inputs, given: tensors.count)
        }
        for (input, tensor) in zip(inputs, tensors) where !input.admits(tensor) {
            throw .inputMismatch(model: model, expected: input, given: tensor.description)
        }
        if let output = outputs.first(where: { $0.elementType == nil }) {
            throw .outputUnsupported(model: model, output: output)
        }
    }
}
