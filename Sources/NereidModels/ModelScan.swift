// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One look at the file system: which models stand at the given locations now.
struct ModelScan {
    /// The models found, in the order of the locations and then of their names.
    private(set) var models: [FoundModel] = []
    /// Files that want a name which another one has.
    private(set) var conflicts: [(found: FoundModel, error: ModelsError)] = []
    /// The models that the operator named one by one, whether they are there or not.
    private(set) var named: [NamedModel] = []

    private var labels: LabelFiles

    /// The endings of files that are models.
    static let endings: Set<String> = checkpointEndings.union(weightEndings).union(["onnx"])

    /// The endings of files that a training framework saved.
    static let checkpointEndings: Set<String> = ["pt"]

    /// The endings of files of weights that need a configuration beside them.
    static let weightEndings: Set<String> = ["pth", "pkl"]

    /// The graphs of later stages lie beside the first one, under its name and theirs.
    static let stages = ["boxes", "masks"]

    init(_ locations: [ModelLocation]) {
        var labels = LabelFiles()
        self.init(locations, labels: &labels)
    }

    /// Looks at the locations.
    ///
    /// - Parameter labels: what earlier looks have learnt of settings files.
    init(_ locations: [ModelLocation], labels: inout LabelFiles) {
        self.labels = labels
        for location in locations {
            guard let path = location.path else {
                addBundled(name: location.name)
                continue
            }
            let url = URL(fileURLWithPath: path)
            if Self.isFolder(url) {
                add(folder: url, name: location.name)
            } else {
                let name = location.name ?? url.deletingPathExtension().lastPathComponent
                expect(name, at: path)
                add(
                    url,
                    name: name,
                    isAlone: Self.onlyGraph(in: url.deletingLastPathComponent()) != nil,
                    configuration: location.configurationPath
                )
            }
        }
        self.labels.keep(Set(models.compactMap(\.settingsPath)))
        labels = self.labels
    }

    /// A folder that is one model, or a folder of models.
    private mutating func add(folder: URL, name: String?) {
        if let graph = Self.onlyGraph(in: folder) {
            let name = name ?? folder.standardizedFileURL.lastPathComponent
            expect(name, at: folder.path)
            add(graph, name: name, isAlone: true)
        } else {
            let before = models.count
            scan(folder: folder)
            // The name was for the one model that the folder held.
            if let name, models.count == before { expect(name, at: folder.path) }
        }
    }

    private mutating func expect(_ name: String, at path: String) {
        let name = name.printable()
        if !named.contains(where: { $0.name == name }) { named.append(NamedModel(name: name, path: path)) }
    }

    private mutating func scan(folder: URL) {
        for url in Self.contents(of: folder) {
            if Self.isFolder(url) {
                if let graph = Self.onlyGraph(in: url) { add(graph, name: url.lastPathComponent, isAlone: true) }
            } else if Self.isGraph(url), Self.hasForeignName(url) {
                add(
                    FoundModel(
                        name: url.deletingPathExtension().lastPathComponent.printable(),
                        path: url.path,
                        settingsPath: nil,
                        fingerprint: .init(model: .unknown, settings: nil),
                        refusal: "its name is not UTF-8 text. Rename it"
                    )
                )
            } else if Self.isGraph(url), !Self.isForeign(url) {
                add(url, name: url.deletingPathExtension().lastPathComponent, isAlone: false)
            }
        }
    }

    /// Whether a file's name is bytes that are not UTF-8: the name that stands for them leads to no file.
    private static func hasForeignName(_ url: URL) -> Bool {
        var status = stat()
        return url.lastPathComponent.contains("\u{FFFD}") && lstat(url.path, &status) != 0
    }

    private mutating func addBundled(name: String?) {
        let name = name ?? BundledModel.name
        expect(name, at: BundledModel.path)
        add(
            FoundModel(
                name: name,
                path: BundledModel.path,
                settingsPath: nil,
                fingerprint: nil
            )
        )
    }

    /// - Parameters:
    ///   - isAlone: whether the file has a model's folder for itself, so that `model.yaml` speaks of it.
    ///   - configuration: the configuration that was named with it.
    private mutating func add(_ graph: URL, name: String, isAlone: Bool, configuration: String? = nil) {
        // Absent between two looks, or unreadable: the next look will tell.
        guard let model = Self.file(graph) else { return }
        let settings = Self.settings(for: graph, isAlone: isAlone)
        let configurations = configuration.map { [URL(fileURLWithPath: $0)] } ?? Self.configurations(for: graph)
        let stages = Self.stages(of: graph)
        let settingsState = settings.flatMap(Self.file)
        var others = configurations + stages.map(\.value).sorted { $0.path < $1.path } + Self.weights(of: graph)
        if let settings, let settingsState,
            let path = labels.labels(ofSettingsAt: settings.path, in: settingsState)
        {
            others.append(URL(fileURLWithPath: path))
        }
        let refusal = Self.refusal(of: graph, name: name)
        add(
            FoundModel(
                name: refusal == nil ? name : name.printable(),
                path: graph.path,
                settingsPath: settings?.path,
                configurationPaths: configurations.map(\.path),
                stagePaths: stages.mapValues(\.path),
                fingerprint: .init(
                    model: model,
                    settings: settingsState,
                    others: others.compactMap(Self.file)
                ),
                refusal: refusal
            )
        )
    }

    /// Why a file is not served whatever it holds; `nil` when its name can be shown and asked for.
    private static func refusal(of graph: URL, name: String) -> String? {
        for text in [name, graph.lastPathComponent] where !text.isPrintable {
            return "its name ‘\(text.printable())’ has characters that can't be shown, written here as escapes. "
                + "Rename it"
        }
        return name.count <= 128 ? nil : "its name is longer than 128 characters. Rename it, or give NAME=PATH"
    }

    /// The files in which exporters keep the weights of a graph that is too large for one file, as far as their names tell.
    private static func weights(of graph: URL) -> [URL] {
        guard graph.pathExtension.lowercased() == "onnx" else { return [] }
        let stem = graph.deletingPathExtension()
        return [graph.appendingPathExtension("data"), stem.appendingPathExtension("data")]
            + [stem.appendingPathExtension("onnx_data"), stem.appendingPathExtension("bin")]
    }

    /// The configurations of Detectron2 that may belong to a file of weights: the one that has its name, else all beside it.
    private static func configurations(for weights: URL) -> [URL] {
        guard weightEndings.contains(weights.pathExtension.lowercased()) else { return [] }
        let folder = weights.deletingLastPathComponent()
        let stem = weights.deletingPathExtension().lastPathComponent
        let own = settingsNames(stem: stem).map { folder.appendingPathComponent($0) }.filter(isConfiguration)
        return own.isEmpty ? contents(of: folder).filter(isConfiguration) : own
    }

    private static func isConfiguration(_ url: URL) -> Bool {
        ["yaml", "yml"].contains(url.pathExtension.lowercased()) && Detectron2Configuration.isConfiguration(url.path)
    }

    /// The graphs of later stages beside a graph, by their names.
    private static func stages(of graph: URL) -> [String: URL] {
        guard graph.pathExtension.lowercased() == "onnx" else { return [:] }
        let found = stages.map { ($0, graph.deletingPathExtension().appendingPathExtension("\($0).onnx")) }
            .filter { file($1) != nil }
        return Dictionary(uniqueKeysWithValues: found)
    }

    /// Files in a folder of models that are none by themselves: graphs of later stages, and pickles that nothing says are
    /// weights.
    private static func isForeign(_ url: URL) -> Bool {
        if url.pathExtension.lowercased() == "pkl" { return configurations(for: url).isEmpty }
        let first = url.deletingPathExtension()
        return url.pathExtension.lowercased() == "onnx" && stages.contains(first.pathExtension)
            && file(first.deletingPathExtension().appendingPathExtension("onnx")) != nil
    }

    private mutating func add(_ found: FoundModel) {
        if let other = models.first(where: { $0.name == found.name }) {
            if other.path != found.path {
                conflicts.append((found, .nameTaken(name: found.name, path: found.path, by: other.path)))
            }
        } else {
            models.append(found)
        }
    }

    /// A folder is a model if it says so with a `model.yaml` and holds one graph; or holds one graph called `model`.
    private static func onlyGraph(in folder: URL) -> URL? {
        let files = contents(of: folder)
        let graphs = files.filter { isGraph($0) && !isForeign($0) }
        guard graphs.count == 1 else { return nil }
        let isModelFolder =
            // Weights and the one configuration that belongs to them.
            configurations(for: graphs[0]).count == 1
            || files.contains { settingsNames(stem: "model").contains($0.lastPathComponent) }
            || graphs[0].deletingPathExtension().lastPathComponent == "model"
        return isModelFolder ? graphs[0] : nil
    }

    private static func settings(for graph: URL, isAlone: Bool) -> URL? {
        let folder = graph.deletingLastPathComponent()
        let stem = graph.deletingPathExtension().lastPathComponent
        let names = settingsNames(stem: stem) + (isAlone ? settingsNames(stem: "model") : [])
        return names.map { folder.appendingPathComponent($0) }.first { file($0) != nil && !isConfiguration($0) }
    }

    private static func settingsNames(stem: String) -> [String] { ["\(stem).yaml", "\(stem).yml"] }

    private static func isGraph(_ url: URL) -> Bool {
        endings.contains(url.pathExtension.lowercased()) && !url.lastPathComponent.hasPrefix(".") && !isFolder(url)
    }

    private static func contents(of folder: URL) -> [URL] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().filter { !$0.hasPrefix(".") }.map { folder.appendingPathComponent($0) }
    }

    private static func isFolder(_ url: URL) -> Bool {
        var status = stat()
        return stat(url.path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func file(_ url: URL) -> FoundModel.Fingerprint.File? {
        var status = stat()
        guard stat(url.path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        #if canImport(Darwin)
        let (modified, changed) = (status.st_mtimespec, status.st_ctimespec)
        #else
        let (modified, changed) = (status.st_mtim, status.st_ctim)
        #endif
        func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) }
        return .init(
            size: Int64(status.st_size),
            modified: nanoseconds(modified),
            changed: nanoseconds(changed),
            inode: UInt64(status.st_ino),
            device: UInt64(status.st_dev)
        )
    }
}

extension ModelLocation {
    /// The one model that stands at a location.
    ///
    /// - Throws: ``ModelsError/unsupportedFile(path:reason:)`` when there is none, or more than one.
    public static func onlyModel(at location: ModelLocation) throws(ModelsError) -> FoundModel {
        let found = ModelScan([location]).models
        guard found.count == 1 else {
            throw .unsupportedFile(
                path: location.path ?? BundledModel.path,
                reason: ModelFolder.reason(path: location.path ?? BundledModel.path, models: found)
            )
        }
        if let refusal = found[0].refusal { throw .unsupportedFile(path: found[0].path, reason: refusal) }
        return found[0]
    }

    /// The names of the models that are at these locations now, in the order in which they are listed.
    public static func names(at locations: [ModelLocation]) -> [String] { ModelScan(locations).models.map(\.name) }
}
