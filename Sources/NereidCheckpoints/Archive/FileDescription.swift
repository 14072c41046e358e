// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What a file that was given as a model is, by its content and never by its name.
public struct FileDescription: Sendable, Hashable {
    /// What it is, with its article: `a Git LFS pointer`.
    public let found: String
    /// What to do about it, as the end of a sentence.
    public let advice: String
    /// Whether it begins as an ONNX graph does.
    public let isGraph: Bool
    /// Whether it is a checkpoint of PyTorch, or a pickle that may be one.
    public let isCheckpoint: Bool

    /// Looks at a file. Reads its beginning, and the table of contents of a zip; blocks its thread for as long.
    ///
    /// - Throws: ``CheckpointError/unreadable(file:reason:)``.
    public init(path: String) throws(CheckpointError) {
        self.init(try CheckpointBytes(mapping: path), file: path)
    }

    init(_ bytes: CheckpointBytes, file: String) {
        switch FileKind(bytes) {
        case .zip: self = Self.zip(bytes, file: file)
        case .legacy: self = Self.checkpoint("a PyTorch checkpoint of the old format")
        case .pickle:
            self.init(
                found: "a Python pickle",
                advice: "name it .pkl, with the config.yaml of Detectron2 beside it, if it holds its weights",
                isCheckpoint: true
            )
        case .foreign(let found, let advice):
            self.init(found: found, advice: advice, isGraph: found == "an ONNX graph")
        }
    }

    private init(found: String, advice: String, isGraph: Bool = false, isCheckpoint: Bool = false) {
        self.found = found
        self.advice = advice
        self.isGraph = isGraph
        self.isCheckpoint = isCheckpoint
    }

    private static func checkpoint(_ found: String) -> Self {
        Self(
            found: found,
            advice: "name it .pt and serve it as it is (.pth, with its config.yaml, if it is of Detectron2)",
            isCheckpoint: true
        )
    }

    /// Many formats are zips; the names in the table of contents tell which.
    private static func zip(_ bytes: CheckpointBytes, file: String) -> Self {
        guard let archive = try? ZipArchive(bytes, file: file, limits: CheckpointLimits()) else {
            return Self(found: "a zip archive that is damaged or was cut short", advice: ForeignFile.fetch)
        }
        let names = archive.entries.map(\.name)
        func has(_ ending: String) -> Bool { names.contains { $0.hasSuffix(ending) } }
        if has("/constants.pkl") || names.contains(where: { $0.contains("/code/") }) {
            return Self(
                found: "a TorchScript program, from which the network's layers cannot be told",
                advice: ForeignFile.export
            )
        }
        if has("/data.pkl") { return checkpoint("a PyTorch checkpoint") }
        if has("/archive_format") || has("models/model.json") {
            return Self(found: "an exported program of PyTorch (.pt2)", advice: ForeignFile.export)
        }
        if has("model.weights.h5") { return Self(found: "a Keras model (.keras)", advice: ForeignFile.export) }
        if has(".mlmodel") { return Self(found: "a Core ML package in a zip", advice: ForeignFile.export) }
        if has("saved_model.pb") {
            return Self(found: "a zip of a SavedModel of TensorFlow", advice: ForeignFile.export)
        }
        if !names.isEmpty, names.allSatisfy({ $0.hasSuffix(".npy") }) {
            return Self(found: "NumPy arrays (.npz)", advice: ForeignFile.export)
        }
        if names.contains("[Content_Types].xml") {
            return Self(found: "an office document", advice: "give a model: \(ForeignFile.export)")
        }
        let models = names.filter { name in [".onnx", ".pt", ".pth"].contains { name.lowercased().hasSuffix($0) } }
        if let model = models.first {
            return Self(found: "a zip archive with \(Excerpt(model)) in it", advice: "unpack it and give that file")
        }
        return Self(found: "a zip archive without a model in it", advice: "unpack it and give the model itself")
    }
}
