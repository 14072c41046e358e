// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Why a Detectron2 model can't be read; each case prints what happened, to which file, and what to do.
public enum Detectron2Error: Error, Sendable, Equatable {
    /// The configuration can't be opened, or is no text.
    case unreadable(file: String, reason: String)
    /// The file is YAML that can't be read, or something else than Detectron2's configuration.
    case notAConfiguration(file: String, reason: String)
    /// The configuration is larger or more deeply nested than any real one.
    case limitExceeded(file: String, what: String, limit: Int)
    /// The configuration asks for something to be made or called.
    case refusedTag(file: String, tag: String, key: String)
    /// The configuration has an expression to be evaluated that is more than arithmetic.
    case refusedExpression(file: String, key: String, expression: String, reason: String)
    /// The configuration builds upon a file that is not to be had.
    case baseUnavailable(file: String, base: String, reason: String)
    /// A value of the configuration makes no sense.
    case badValue(file: String, key: String, value: String, expected: String)
    /// A value of the configuration stands for something that can't be converted.
    case unsupported(file: String, key: String, value: String, reason: String)
    /// The weights lack tensors that the configuration's network has, or have them in other shapes.
    case weightsDoNotFit(file: String, missing: [String], misshapen: [String])
    /// The file holds no tensors where Detectron2 puts them.
    case noWeights(file: String, found: String)
}

extension Detectron2Error: CustomStringConvertible {
    /// What happened, to which file, and what to do.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason):
            "configuration ‘\(file)’ can't be read: \(reason)"
        case .notAConfiguration(let file, let reason):
            """
            ‘\(file)’ is not a configuration of Detectron2: \(reason); \
            put the config.yaml beside the weights that was written when they were trained
            """
        case .limitExceeded(let file, let what, let limit):
            """
            configuration ‘\(file)’ is refused: it has more than \(limit) \(what), far beyond what a configuration needs; \
            fetch it again from a source that you trust
            """
        case .refusedTag(let file, let tag, let key):
            """
            configuration ‘\(file)’ is refused: at \(key) it asks Python to make \(Excerpt(tag)), and nothing in a \
            configuration is ever executed; write the value itself there
            """
        case .refusedExpression(let file, let key, let expression, let reason):
            """
            configuration ‘\(file)’ is refused: at \(key) it asks Python to evaluate \(Excerpt(expression)), which \
            \(reason); numbers, lists, arithmetic and one comprehension are read, so write the value itself there
            """
        case .baseUnavailable(let file, let base, let reason):
            """
            configuration ‘\(file)’ builds upon \(Excerpt(base)), \(reason); put that file into the model's folder and \
            name it without a path, or use the complete config.yaml that Detectron2 writes when it trains
            """
        case .badValue(let file, let key, let value, let expected):
            "configuration ‘\(file)’: \(key) is \(value), but it must be \(expected)"
        case .unsupported(let file, let key, let value, let reason):
            """
            configuration ‘\(file)’: \(key) is \(value), \(reason); \
            export the model to ONNX with Detectron2, or convert one of the kinds that docs/checkpoints.md lists
            """
        case .weightsDoNotFit(let file, let missing, let misshapen):
            "the weights in ‘\(file)’ are not those of its configuration: "
                + [
                    missing.isEmpty ? nil : "they lack \(Self.list(missing))",
                    misshapen.isEmpty ? nil : "they hold \(Self.list(misshapen))",
                ].compactMap(\.self).joined(separator: "; ")
                + "; use the configuration that the weights were trained with"
        case .noWeights(let file, let found):
            """
            ‘\(file)’ holds no weights of Detectron2: \(found); they stand under the key ‘model’, or by themselves, \
            as tensors by name
            """
        }
    }

    /// A few of the names, and how many there are.
    static func list(_ names: [String]) -> String {
        let shown = names.prefix(12).map { Excerpt($0).description }.joined(separator: ", ")
        return names.count > 12 ? "\(shown), … (\(names.count) in all)" : shown
    }
}
