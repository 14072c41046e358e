// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Dispatch
public import Logging
import NereidCheckpoints
import NereidInference

/// Makes the graphs of checkpoints, and keeps them for the next start.
///
/// Reading a checkpoint and writing its graph keeps a thread busy for a tenth of a second to ten; that happens on a queue of
/// its own, one checkpoint at a time, so that memory holds the weights of one.
public final class CheckpointConversion: Sendable {
    private let cache: GraphCache
    private let logger: Logger
    private let queue = DispatchQueue(label: "nereid.checkpoints", qos: .utility)

    /// Makes a converter.
    ///
    /// - Parameters:
    ///   - cache: where graphs are kept.
    ///   - logger: told what was converted, and when nothing could be kept.
    public init(cache: GraphCache, logger: Logger) {
        self.cache = cache
        self.logger = logger
    }

    /// The graph of a checkpoint: the one that is kept, or a new one.
    ///
    /// - Throws: `CheckpointError` or `ConversionError`, which say what is wrong with the file.
    func graph(ofCheckpointAt path: String, name: String, options: ConversionOptions) async throws -> GraphSource {
        try await onQueue { [self] in
            GraphSource(name: name, content: try content(ofCheckpointAt: path, name: name, options))
        }
    }

    /// The graphs of weights of Detectron2: those that are kept, or new ones.
    ///
    /// - Throws: `CheckpointError`, `ConversionError` or `Detectron2Error`, which say what is wrong with the files.
    func graphs(
        ofWeightsAt path: String,
        configuration: Detectron2Configuration,
        name: String,
        precision: WeightPrecision
    ) async throws -> ModelGraphs {
        try await onQueue { [self] in
            let clock = ContinuousClock()
            let begun = clock.now
            let key = try Self.key(of: path, configuration, precision)
            let names = [""] + configuration.stages
            var contents = names.compactMap { stage in
                cache.graph(for: Self.key(key, stage: stage)).map { GraphSource.Content.file(path: $0) }
            }
            if contents.count != names.count {
                let graphs = try Detectron2Converter.convert(
                    Checkpoint(path: path),
                    configuration: configuration,
                    precision: precision
                )
                for warning in graphs.warnings {
                    logger.warning("\(warning)", metadata: ["model": "\(name)", "file": "\(path)"])
                }
                contents = try graphs.named.map { stage, graph in try keep(graph, as: Self.key(key, stage: stage)) }
                logger.info(
                    "checkpoint converted",
                    metadata: [
                        "model": "\(name)", "framework": "detectron2", "graphs": "\(contents.count)",
                        "took": "\(clock.now - begun)",
                    ]
                )
            }
            let sources = zip(names, contents).map { stage, content in
                (stage, GraphSource(name: stage.isEmpty ? name : "\(name).\(stage)", content: content))
            }
            return ModelGraphs(
                network: sources[0].1,
                stages: Dictionary(uniqueKeysWithValues: sources.dropFirst())
            )
        }
    }

    /// Does work that blocks where blocking is allowed.
    func onQueue<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Swift.Result { try work() }) }
        }
    }

    private static func key(_ key: String, stage: String) -> String { stage.isEmpty ? key : "\(key)-\(stage)" }

    /// Everything that the graphs depend on: the weights, what the configuration says, the converter, and the precision.
    private static func key(
        of path: String,
        _ configuration: Detectron2Configuration,
        _ precision: WeightPrecision
    ) throws -> String {
        "\(try checksum(of: path))-\(configuration.digest)-d\(Detectron2Converter.version)-\(precision.rawValue)"
    }

    private static func checksum(of path: String) throws -> String {
        do {
            return try GraphCache.checksum(ofFileAt: path)
        } catch {
            // Whoever reads checkpoints says best why this one can't be.
            _ = try Checkpoint(path: path)
            throw error
        }
    }

    private func content(
        ofCheckpointAt path: String,
        name: String,
        _ options: ConversionOptions
    ) throws -> GraphSource.Content {
        let clock = ContinuousClock()
        let begun = clock.now
        let key = try Self.key(of: path, options)
        if let kept = cache.graph(for: key) { return .file(path: kept) }
        let graph = try CheckpointConverter.convert(Checkpoint(path: path), options: options)
        let content = try keep(graph, as: key)
        logger.info(
            "checkpoint converted",
            metadata: [
                "model": "\(name)", "framework": "\(graph.description.framework.rawValue)",
                "took": "\(clock.now - begun)",
            ]
        )
        return content
    }

    /// A graph in the cache; in memory where the cache is off or can't take it: a full disk is no reason not to serve.
    private func keep(_ graph: ConvertedGraph, as key: String) throws -> GraphSource.Content {
        do {
            if let path = try cache.keep(key, write: { try graph.write(toFile: $0) }) { return .file(path: path) }
            if let obstacle = cache.obstacle { tellNotKept(obstacle) }
        } catch let error as ConversionError {
            guard case .writingFailed = error else { throw error }
            tellNotKept("\(error)")
        }
        return .bytes(try graph.bytes())
    }

    private func tellNotKept(_ reason: String) {
        logger.warning(
            "graph can't be kept; it will be made again at the next start",
            metadata: ["reason": "\(reason)"]
        )
    }

    /// Everything that the graph depends on: the file's content, the converter, and what was asked of it.
    private static func key(of path: String, _ options: ConversionOptions) throws -> String {
        "\(try checksum(of: path))-\(CheckpointConverter.version)-\(options.ending.rawValue)-\(options.head.rawValue)"
            + "-\(options.precision.rawValue)"
    }
}
