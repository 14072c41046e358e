// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference
import NereidVision
import TestSupport
import Testing

@testable import NereidModels

@Suite("Weights of Detectron2, loaded", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct Detectron2LoadingTests {
    private static let reference = "reference/detectron2/mask_rcnn_tiny"

    private static func load(_ found: FoundModel, _ cache: GraphCache) async throws -> ServedModel {
        try await ServedModel.load(
            found,
            on: ONNXRuntimeEngine(),
            session: Fixtures.session,
            checkpoints: CheckpointConversion(cache: cache, logger: Fixtures.logger),
            imaging: Fixtures.imaging,
            logger: Fixtures.logger
        )
    }

    @Test("keep a graph for each stage, and make a damaged one anew")
    func cache() async throws {
        let folder = try TemporaryFolder()
        try folder.put(SharedFolder.path("\(Self.reference)_model_final.pth"), as: "model_final.pth")
        try folder.put(SharedFolder.path("\(Self.reference)_config.yaml"), as: "config.yaml")
        try folder.write("confidence: 0.4\nlabels: [a, b, c]", to: "model.yaml")
        let cache = GraphCache(folder: folder.path("graphs"))
        let found = try ModelLocation.onlyModel(at: ModelLocation(path: folder.path))
        #expect(found.settingsPath == folder.path("model.yaml"))

        let first = try await Self.load(found, cache)
        #expect(first.vision.task == .segment)
        #expect(first.vision.headKind == .rcnn)
        #expect(first.vision.defaults.confidence == 0.4)
        #expect(first.vision.defaults.iou == 0.5)
        #expect(first.vision.input.size == PixelSize(width: 1333, height: 800))
        await first.vision.shutDown()

        func graphs() throws -> [String: Data] {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("graphs"))
                .filter { $0.hasSuffix(".onnx") }
            return try Dictionary(
                uniqueKeysWithValues: names.map {
                    ($0, try Data(contentsOf: URL(fileURLWithPath: folder.path("graphs/\($0)"))))
                }
            )
        }
        let kept = try graphs()
        #expect(kept.count == 3)
        #expect(kept.keys.count { $0.hasSuffix("-boxes.onnx") } == 1)
        #expect(kept.keys.count { $0.hasSuffix("-masks.onnx") } == 1)

        let damaged = try #require(kept.keys.first { $0.hasSuffix("-boxes.onnx") })
        try Data("graph".utf8).write(to: URL(fileURLWithPath: folder.path("graphs/\(damaged)")))
        await (try await Self.load(found, cache)).vision.shutDown()
        #expect(try graphs() == kept)

        // Another configuration is another network, whatever the weights.
        try folder.write("MODEL: {MASK_ON: False}\n_BASE_: config.yaml", to: "model_final.yaml")
        let other = try ModelLocation.onlyModel(at: ModelLocation(path: folder.path("model_final.pth")))
        let boxes = try await Self.load(other, cache)
        #expect(boxes.vision.task == .detect)
        await boxes.vision.shutDown()
        #expect(try graphs().count == 5)
    }
}
