// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidCheckpoints
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
    /// The configuration that belongs to the file, where it was named with it.
    public let configurationPath: String?

    /// Makes a location.
    public init(name: String? = nil, path: String, configurationPath: String? = nil) {
        self.name = name
        self.path = path
        self.configurationPath = configurationPath
    }

    private init(bundledAs name: String?) {
        self.name = name
        path = nil
        configurationPath = nil
    }

    /// The demonstration model that the program carries.
    public static let bundled = ModelLocation(bundledAs: nil)

    /// Reads `PATH`, `NAME=PATH`, `CONFIG.yaml+WEIGHTS.pth`, `demo` or `NAME=demo`. A path that exists as it is written is taken as a path, even with
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
        } else if let (configuration, weights) = Self.pair(in: path) {
            self.init(name: name, path: weights, configurationPath: configuration)
        } else if path == BundledModel.name {
            self.init(bundledAs: name)
        } else {
            throw .noSuchPath(path, similar: SimilarFiles.names(for: path))
        }
    }

    /// A yaml file and another one with a plus between them, both of which are there.
    private static func pair(in text: String) -> (configuration: String, weights: String)? {
        text.indices.lazy.filter { text[$0] == "+" }.map { plus in
            (configuration: String(text[..<plus]), weights: String(text[text.index(after: plus)...]))
        }.first { pair in
            [".yaml", ".yml"].contains { pair.configuration.hasSuffix($0) }
                && [pair.configuration, pair.weights].allSatisfy { FileManager.default.fileExists(atPath: $0) }
        }
    }

    /// Whether a model can have this name.
    package static func isUsable(name: String) -> Bool {
        (1...128).contains(name.count) && !name.contains("/") && name.isPrintable
            && name.unicodeScalars.allSatisfy { !$0.properties.isWhitespace || $0 == " " }
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
    /// The configurations of Detectron2 that may belong to the file: one, if it is to be loaded.
    var configurationPaths: [String] = []
    /// The graphs of later stages that lie beside the graph, by their names.
    var stagePaths: [String: String] = [:]
    /// Changes whenever one of the files does; `nil` for the model that the program carries, which never does.
    let fingerprint: Fingerprint?
    /// Why the file is not served, whatever it holds.
    var refusal: String?

    /// Whether the file is one that a training framework saved, whose graph has to be made first.
    public var isCheckpoint: Bool {
        fingerprint != nil
            && ModelScan.checkpointEndings.contains(URL(fileURLWithPath: path).pathExtension.lowercased())
    }

    /// Whether the file holds weights of Detectron2, which are nothing without a configuration.
    public var isDetectron2: Bool {
        fingerprint != nil && ModelScan.weightEndings.contains(URL(fileURLWithPath: path).pathExtension.lowercased())
    }

    /// The configuration of Detectron2 that belongs to the file.
    ///
    /// - Throws: ``ModelsError/configuration(path:found:)`` when there is none or more than one; `Detectron2Error`.
    public func detectron2Configuration() throws -> Detectron2Configuration {
        guard configurationPaths.count == 1 else {
            throw ModelsError.configuration(path: path, found: configurationPaths)
        }
        return try Detectron2Configuration(path: configurationPaths[0])
    }

    /// What an engine loads: the graph, and those of later stages where the network has such.
    ///
    /// - Parameter checkpoints: makes the graphs where the file is a checkpoint.
    /// - Throws: ``ModelsError``, and what reading a checkpoint throws.
    public func graphs(from checkpoints: CheckpointConversion) async throws -> ModelGraphs {
        guard fingerprint != nil else {
            return ModelGraphs(network: GraphSource(name: name, content: .bytes(BundledModel.graph)))
        }
        if isDetectron2 {
            return try await checkpoints.graphs(
                ofWeightsAt: path,
                configuration: detectron2Configuration(),
                name: name,
                precision: settings().conversion.precision
            )
        }
        guard isCheckpoint else {
            return ModelGraphs(
                network: GraphSource(name: name, content: .file(path: path)),
                stages: Dictionary(
                    uniqueKeysWithValues: stagePaths.map {
                        ($0, GraphSource(name: "\(name).\($0)", content: .file(path: $1)))
                    }
                )
            )
        }
        return ModelGraphs(
            network: try await checkpoints.graph(ofCheckpointAt: path, name: name, options: settings().conversion)
        )
    }

    /// What the user, or the maker of the model, says about it.
    ///
    /// - Throws: ``ModelsError/settings(path:reason:)``.
    func settings() throws(ModelsError) -> ModelSettings {
        guard fingerprint != nil else { return try ModelSettings(yaml: BundledModel.settings, path: path) }
        return try settingsPath.map { path throws(ModelsError) in try ModelSettings(path: path) } ?? .init()
    }

    /// What tells one state of the files from another without reading them.
    struct Fingerprint: Sendable, Hashable {
        struct File: Sendable, Hashable {
            let size: Int64
            /// Of the content, in nanoseconds since 1970; programs may set it to any time.
            let modified: Int64
            /// Of content, name or rights. Only the system sets it, so that a file that is written over in place shows, though
            /// it is as long as before and its time was set back.
            let changed: Int64
            let inode: UInt64
            let device: UInt64

            /// Of a file that can't be looked at.
            static let unknown = File(size: 0, modified: 0, changed: 0, inode: 0, device: 0)
        }

        let model: File
        let settings: File?
        /// Configurations, graphs of later stages, weights beside the graph, and labels.
        var others: [File] = []
    }
}

/// The graphs of a model.
public struct ModelGraphs: Sendable {
    /// The graph that pictures go into.
    public let network: GraphSource
    /// The graphs of later stages, by their names.
    public var stages: [String: GraphSource] = [:]
}
