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
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in
                continuation.resume(
                    with: Result {
                        GraphSource(name: name, content: try content(ofCheckpointAt: path, name: name, options))
                    }
                )
            }
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
        let kept = try cache.keep(key) { try graph.write(toFile: $0) }
        logger.info(
            "checkpoint converted",
            metadata: [
                "model": "\(name)", "framework": "\(graph.description.framework.rawValue)",
                "took": "\(clock.now - begun)",
                "kept": "\(kept ?? "nothing: the cache can't be written to, or is off")",
            ]
        )
        return try kept.map { .file(path: $0) } ?? .bytes(graph.bytes())
    }

    /// Everything that the graph depends on: the file's content, the converter, and what was asked of it.
    private static func key(of path: String, _ options: ConversionOptions) throws -> String {
        let sum: String
        do {
            sum = try GraphCache.checksum(ofFileAt: path)
        } catch {
            // Whoever reads checkpoints says best why this one can't be.
            _ = try Checkpoint(path: path)
            throw error
        }
        return "\(sum)-\(CheckpointConverter.version)-\(options.ending.rawValue)-\(options.head.rawValue)"
            + "-\(options.precision.rawValue)"
    }
}
