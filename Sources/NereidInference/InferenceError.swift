// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What can go wrong between a graph and an engine; each case prints what happened, to what, and what to do.
public enum InferenceError: Error, Sendable, Equatable {
    /// No library of the engine was found.
    case libraryNotFound(searched: [String])
    /// A file was found, but it cannot be opened or is not the engine's library.
    case libraryUnusable(path: String, reason: String)
    /// The library lacks functions that Nereid needs.
    case libraryTooOld(path: String, version: String, required: String)
    /// The library has no such device.
    case deviceUnavailable(Device, available: [Device], reason: String)
    /// An option has a value that makes no sense.
    case optionOutOfRange(name: String, value: Int, allowed: ClosedRange<Int>)
    /// The graph's file cannot be read.
    case graphUnreadable(model: String, reason: String)
    /// The engine refuses the graph.
    case graphRejected(model: String, reason: String)
    /// A run was given too few or too many tensors.
    case inputCountMismatch(model: String, expected: [TensorDescription], given: Int)
    /// A tensor has another shape or kind than the graph takes.
    case inputMismatch(model: String, expected: TensorDescription, given: String)
    /// An output is of a kind that Nereid does not carry.
    case outputUnsupported(model: String, output: TensorDescription)
    /// A shape is needed that the graph leaves open.
    case freeDimensions(TensorDescription)
    /// The engine failed while it ran the graph.
    case runFailed(model: String, reason: String)
    /// The session was shut down.
    case sessionClosed(model: String)
    /// A shape has a negative length or does not fit into memory.
    case invalidShape([Int])
    /// A shape holds another number of elements than were given.
    case elementCountMismatch(shape: [Int], count: Int)
    /// A tensor was read as another kind of number than it holds.
    case elementTypeMismatch(held: ElementType, asked: ElementType)
}

extension InferenceError: CustomStringConvertible {
    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .libraryNotFound(let searched):
            """
            ONNX Runtime not found; looked at \(searched.joined(separator: ", ")). \
            Run scripts/setup to get it, or install it (pip install onnxruntime, or your distribution's package) and \
            set NEREID_ONNXRUNTIME to the library or its folder
            """
        case .libraryUnusable(let path, let reason):
            """
            ‘\(path)’ cannot be used as ONNX Runtime: \(reason); \
            point NEREID_ONNXRUNTIME at libonnxruntime or run scripts/setup
            """
        case .libraryTooOld(let path, let version, let required):
            """
            ONNX Runtime \(version) at ‘\(path)’ is too old: \(required) or newer is needed; \
            run scripts/setup to get one
            """
        case .deviceUnavailable(let device, let available, let reason):
            """
            device ‘\(device)’ is not available: \(reason); \
            this engine has: \(available.map(\.description).joined(separator: ", "))
            """
        case .optionOutOfRange(let name, let value, let allowed):
            "\(name) is \(value); it must lie in \(allowed.lowerBound)…\(allowed.upperBound)"
        case .graphUnreadable(let model, let reason):
            "the graph of model ‘\(model)’ cannot be read: \(reason)"
        case .graphRejected(let model, let reason):
            """
            the graph of model ‘\(model)’ was refused by the engine: \(reason); \
            check that it is a whole, valid ONNX file
            """
        case .inputCountMismatch(let model, let expected, let given):
            """
            model ‘\(model)’ takes \(expected.count) input\(expected.count == 1 ? "" : "s") \
            (\(expected.map(\.description).joined(separator: ", "))), \(given) given
            """
        case .inputMismatch(let model, let expected, let given):
            "model ‘\(model)’ takes \(expected), given \(given)"
        case .outputUnsupported(let model, let output):
            """
            model ‘\(model)’ gives \(output), a kind of number that Nereid does not carry; \
            export it with one of \(ElementType.allCases.map(\.rawValue).joined(separator: ", "))
            """
        case .freeDimensions(let input):
            "input \(input) leaves dimensions free; give the shape to use"
        case .runFailed(let model, let reason):
            "model ‘\(model)’ failed: \(reason)"
        case .sessionClosed(let model):
            "model ‘\(model)’ was unloaded; load it again to use it"
        case .invalidShape(let shape):
            "\(shape) is no shape for a tensor: lengths must not be negative and must fit into memory together"
        case .elementCountMismatch(let shape, let count):
            "\(count) elements do not fill the shape \(shape)"
        case .elementTypeMismatch(let held, let asked):
            "the tensor holds \(held.rawValue) and was read as \(asked.rawValue)"
        }
    }
}
