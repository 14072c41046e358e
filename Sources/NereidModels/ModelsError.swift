// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What can go wrong between a path and a served model.
public enum ModelsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No model of this name or alias is served.
    case notFound(name: String, served: [String])
    /// The model is known but still being loaded.
    case loading(name: String)
    /// The model is known but its file can't be served.
    case broken(name: String, reason: String)
    /// A path given at the start holds nothing.
    case noSuchPath(String)
    /// A path given at the start is a file of no kind that is served.
    case unsupportedFile(path: String, reason: String)
    /// A name can't be used.
    case badName(String)
    /// A settings file can't be used.
    case settings(path: String, reason: String)
    /// Two files ask for the same name.
    case nameTaken(name: String, path: String, by: String)

    /// What happened, to what, and what to do.
    public var description: String {
        switch self {
        case .notFound(let name, let served):
            served.isEmpty
                ? "model ‘\(name)’ not found: no model is served here yet"
                : "model ‘\(name)’ not found; served here: \(served.joined(separator: ", "))"
        case .loading(let name):
            "model ‘\(name)’ is still being loaded; ask again in a moment"
        case .broken(let name, let reason):
            "model ‘\(name)’ can't be served until its file is replaced: \(reason)"
        case .noSuchPath(let path):
            "there is no file or folder ‘\(path)’. Give the path of an .onnx file, of a folder of them, or ‘demo’ for the bundled model"
        case .unsupportedFile(let path, let reason):
            "‘\(path)’ is not a model that this version serves: \(reason)"
        case .badName(let name):
            "‘\(name)’ can't be a model's name: names are 1 to 128 characters without ‘/’ and control characters"
        case .settings(let path, let reason):
            "the settings in \(path) can't be used: \(reason)"
        case .nameTaken(let name, let path, let other):
            "two files ask for the name ‘\(name)’: \(other) has it, \(path) is left out. Rename one, or give NAME=PATH"
        }
    }
}
