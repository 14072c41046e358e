// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Logging
import NereidImaging
import NereidInference
import NereidModels
import NereidServer

/// What every command that runs models needs: an engine, and threads for pictures.
struct Runtime {
    let engine: any Engine
    let imaging: ImagingPool
    let cache: GraphCache
    let checkpoints: CheckpointConversion
    let logger: Logger

    init(_ configuration: EngineConfiguration) throws {
        var logger = Logger(label: "nereid") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = configuration.logLevel
        self.logger = logger
        cache = GraphCache(folder: configuration.cache)
        checkpoints = CheckpointConversion(cache: cache, logger: logger)
        engine = try ONNXRuntimeEngine(library: configuration.onnxRuntime)
        imaging = configuration.decodeThreads.map { ImagingPool(threads: $0) } ?? ImagingPool()
    }

    /// The one model at a location.
    func load(_ argument: String, session: SessionOptions) async throws -> ServedModel {
        let location = try ModelLocation(argument: argument)
        return try await ServedModel.load(
            only: location,
            on: engine,
            session: session,
            checkpoints: checkpoints,
            imaging: imaging,
            logger: logger
        )
    }
}

/// Ends the command with a sentence instead of a trace.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
