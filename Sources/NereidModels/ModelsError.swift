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
    /// A path given at the start holds nothing; beside it there may be files with similar names.
    case noSuchPath(String, similar: [String] = [])
    /// A path given at the start is a file of no kind that is served.
    case unsupportedFile(path: String, reason: String)
    /// A file is something else than a model.
    case notAModel(path: String, found: String, advice: String)
    /// A file is an ONNX graph that can't be used as it is.
    case unusableGraph(path: String, reason: String)
    /// A name can't be used.
    case badName(String)
    /// A settings file can't be used.
    case settings(path: String, reason: String)
    /// Weights of Detectron2 without the configuration that belongs to them, or with several that may.
    case configuration(path: String, found: [String])
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
        case .noSuchPath(let path, let similar):
            "there is no file or folder ‘\(path.printable())’"
                + (similar.isEmpty ? "" : "; did you mean \(similar.map { $0.printable() }.joined(separator: " or "))?")
                + ". Give \(Self.kinds)"
        case .unsupportedFile(let path, let reason):
            "‘\(path.printable())’ is not a model that this version serves: \(reason)"
        case .notAModel(let path, let found, let advice):
            "‘\(path.printable())’ is not an ONNX file or a checkpoint but \(found); \(advice)"
        case .unusableGraph(let path, let reason):
            "the ONNX file ‘\(path.printable())’ can't be served: \(reason)"
        case .badName(let name):
            "‘\(name.printable())’ can't be a model's name: names are 1 to 128 characters without ‘/’, control characters and "
                + "characters that change the direction of writing"
        case .settings(let path, let reason):
            "the settings in \(path) can't be used: \(reason)"
        case .configuration(let path, let found):
            (found.isEmpty
                ? "‘\(path)’ are weights without their network: there is no configuration of Detectron2 beside them. "
                : "beside ‘\(path)’ there are several configurations of Detectron2: \(found.joined(separator: ", ")). ")
                + "Put the config.yaml of its training into the same folder, under the weights' name if there are others, "
                + "or give CONFIG.yaml+WEIGHTS.pth"
        case .nameTaken(let name, let path, let other):
            "two files ask for the name ‘\(name)’: \(other.printable()) has it, \(path.printable()) is left out. Rename one, or give NAME=PATH"
        }
    }

    /// Everything that can be given as a model.
    static let kinds = """
        an .onnx file, a checkpoint of YOLOv5 or Ultralytics (.pt), weights of Detectron2 (.pth or .pkl, with the config.yaml \
        beside them or as CONFIG.yaml+WEIGHTS.pth), a folder of such files, or ‘demo’ for the bundled model
        """
}
