// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidCheckpoints
import NereidInference
import TestSupport
import Testing

@testable import NereidModels

@Suite("Checkpoint conversion")
struct CheckpointConversionTests {
    private static let checkpoint =
        URL(fileURLWithPath: Fixtures.path("blocks-v8")).deletingLastPathComponent().appendingPathComponent("blocks.pt")
        .path

    private func content(_ cache: GraphCache) async throws -> GraphSource.Content {
        let conversion = CheckpointConversion(cache: cache, logger: Fixtures.logger)
        return try await conversion.graph(ofCheckpointAt: Self.checkpoint, name: "blocks", options: .init()).content
    }

    @Test("serves from the cache, and from memory when it is off")
    func places() async throws {
        let folder = try TemporaryFolder()
        guard case .file(let path) = try await content(GraphCache(folder: folder.path)) else {
            Issue.record("the graph is not in the cache")
            return
        }
        guard case .bytes(let bytes) = try await content(.none) else {
            Issue.record("the graph is in a cache that is off")
            return
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(bytes))
    }

    @Test("serves from memory when the cache can't take the graph")
    func unwritable() async throws {
        let folder = try TemporaryFolder()
        // Where the graph would go stands a folder with something in it, which no file can replace.
        _ = try await content(GraphCache(folder: folder.path))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let graph = try #require(names.first { $0.hasSuffix(".onnx") })
        try FileManager.default.removeItem(atPath: folder.path(graph))
        try folder.write(to: "\(graph)/in the way")
        guard case .bytes = try await content(GraphCache(folder: folder.path)) else {
            Issue.record("the graph is where it can't be")
            return
        }
    }
}
