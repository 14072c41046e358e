// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NereidImaging
import NereidInference
import NereidVision

/// The graphs of Tests/Fixtures/make_fixtures.py, which says what each of them computes.
enum Fixtures {
    /// The repository; this file is Tests/NereidVisionTests/Support/Fixtures.swift in it.
    static let repository = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent()
    }

    static let imaging = ImagingPool(threads: 2)
    static let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
    private static let engine = Result { try ONNXRuntimeEngine() }

    /// Loads a fixture whose input, where the graph leaves its size free, is 160 × 160.
    static func model(
        _ name: String,
        _ configure: (inout VisionModelConfiguration) -> Void = { _ in }
    ) async throws -> VisionModel {
        let path = repository.appendingPathComponent("Tests/Fixtures/\(name).onnx").path
        return try await model(GraphSource(name: name, content: .file(path: path))) { configuration in
            if !name.contains("fixed"), name != "blocks-yolox" {
                configuration.inputSize = PixelSize(width: 160, height: 160)
            }
            configure(&configuration)
        }
    }

    static func session(_ bytes: [UInt8], name: String) async throws -> any Session {
        try await engine.get().makeSession(
            GraphSource(name: name, content: .bytes(bytes)),
            options: SessionOptions(device: .cpu, instances: 1, threads: 2)
        )
    }

    static func model(
        _ graph: GraphSource,
        stages: [String: GraphSource] = [:],
        _ configure: (inout VisionModelConfiguration) -> Void = { _ in }
    ) async throws -> VisionModel {
        var configuration = VisionModelConfiguration()
        configuration.session = SessionOptions(device: .cpu, instances: 1, threads: 2)
        configure(&configuration)
        return try await VisionModel.load(
            graph,
            stages: stages,
            on: try engine.get(),
            configuration: configuration,
            imaging: imaging,
            logger: logger
        )
    }
}
