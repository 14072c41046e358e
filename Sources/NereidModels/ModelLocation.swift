// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidInference

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where models are to be found, as a user writes it: a file, a folder, `NAME=PATH`, or `demo` for the bundled model.
public struct ModelLocation: Sendable, Hashable {
    /// The name to give the model; `nil`: the file's or folder's own.
    public let name: String?
    /// The file or folder; `nil`: the model that the program carries.
    public let path: String?

    /// Makes a location.
    public init(name: String? = nil, path: String) {
        self.name = name
        self.path = path
    }

    private init(bundledAs name: String?) {
        self.name = name
        path = nil
    }

    /// The demonstration model that the program carries.
    public static let bundled = ModelLocation(bundledAs: nil)

    /// Reads `PATH`, `NAME=PATH`, `demo` or `NAME=demo`. A path that exists as it is written is taken as a path, even with
    /// an `=` in it, or when it is called `demo`.
    ///
    /// - Throws: ``ModelsError/noSuchPath(_:)``, ``ModelsError/badName(_:)``.
    public init(argument: String) throws(ModelsError) {
        let files = FileManager.default
        var name: String?
        var path = argument
        if let equals = argument.firstIndex(of: "="), !files.fileExists(atPath: argument) {
            let given = String(argument[..<equals])
            guard Self.isUsable(name: given) else { throw .badName(given) }
            name = given
            path = String(argument[argument.index(after: equals)...])
        }
        if files.fileExists(atPath: path) {
            self.init(name: name, path: path)
        } else if path == BundledModel.name {
            self.init(bundledAs: name)
        } else {
            throw .noSuchPath(path)
        }
    }

    static func isUsable(name: String) -> Bool {
        (1...128).contains(name.count) && !name.contains("/")
            && name.unicodeScalars.allSatisfy { !$0.properties.isWhitespace || $0 == " " }
            && name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }
}

/// A model that a scan has found, with the settings that go with it.
public struct FoundModel: Sendable, Hashable {
    /// What it is to be called.
    public let name: String
    /// The graph's file; words in its place for the model that the program carries.
    public let path: String
    /// The settings beside it, if there are any.
    public let settingsPath: String?
    /// Changes whenever one of the two files does; `nil` for the model that the program carries, which never does.
    let fingerprint: Fingerprint?

    /// Whether the file is one that a training framework saved, whose graph has to be made first.
    public var isCheckpoint: Bool {
        fingerprint != nil
            && ModelScan.checkpointEndings.contains(URL(fileURLWithPath: path).pathExtension.lowercased())
    }

    /// What an engine loads.
    ///
    /// - Parameter checkpoints: makes the graph where the file is a checkpoint.
    /// - Throws: ``ModelsError/settings(path:reason:)``, and what reading a checkpoint throws.
    public func graph(from checkpoints: CheckpointConversion) async throws -> GraphSource {
        guard fingerprint != nil else { return GraphSource(name: name, content: .bytes(BundledModel.graph)) }
        guard isCheckpoint else { return GraphSource(name: name, content: .file(path: path)) }
        return try await checkpoints.graph(ofCheckpointAt: path, name: name, options: settings().conversion)
    }

    /// What the user, or the maker of the model, says about it.
    ///
    /// - Throws: ``ModelsError/settings(path:reason:)``.
    func settings() throws(ModelsError) -> ModelSettings {
        guard fingerprint != nil else { return try ModelSettings(yaml: BundledModel.settings, path: path) }
        return try settingsPath.map { path throws(ModelsError) in try ModelSettings(path: path) } ?? .init()
    }

    /// What tells one state of the two files from another without reading them.
    struct Fingerprint: Sendable, Hashable {
        struct File: Sendable, Hashable {
            let size: Int64
            let modified: Int64
            let inode: UInt64
        }

        let model: File
        let settings: File?
    }
}
