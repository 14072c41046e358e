// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NereidImaging
import NereidInference
import NereidVision

@testable import NereidModels

/// The graphs of Tests/Fixtures/make_fixtures.py, which says what each of them computes.
enum Fixtures {
    static let imaging = ImagingPool(threads: 1)
    static let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
    private static let engine = Result { try ONNXRuntimeEngine() }

    static func path(_ name: String) -> String {
        // This file is Tests/NereidModelsTests/Support/Fixtures.swift of the repository.
        let tests = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        return tests.appendingPathComponent("Fixtures/\(name).onnx").path
    }

    static let checkpoints = CheckpointConversion(cache: .none, logger: logger)
    static let session = SessionOptions(device: .cpu, instances: 1, threads: 1)

    /// Loads a found file on the real engine.
    static func load(_ found: FoundModel) async throws -> ServedModel {
        try await ServedModel.load(
            found,
            on: engine.get(),
            session: session,
            checkpoints: checkpoints,
            imaging: imaging,
            logger: logger
        )
    }

    static func repository(_ locations: [ModelLocation]) throws -> ModelRepository {
        ModelRepository(
            locations: locations,
            engine: try engine.get(),
            session: session,
            imaging: imaging,
            logger: logger
        )
    }

    /// A loaded model for tests that need one and do not care which.
    static func vision(_ name: String = "blocks-fixed-v8") async throws -> VisionModel {
        var configuration = VisionModelConfiguration()
        configuration.session = session
        return try await VisionModel.load(
            GraphSource(name: name, content: .file(path: path(name))),
            on: engine.get(),
            configuration: configuration,
            imaging: imaging,
            logger: logger
        )
    }
}
