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

    init(_ configuration: EngineConfiguration, imaging: ImagingPool? = nil) throws {
        logger = Logger(configuration)
        cache = GraphCache(folder: configuration.cache)
        checkpoints = CheckpointConversion(cache: cache, logger: logger)
        engine = try ONNXRuntimeEngine(library: configuration.onnxRuntime)
        self.imaging = imaging ?? ImagingPool(configuration)
    }

    /// What it runs on, for the log.
    var description: Logger.Metadata {
        [
            "engine": "\(engine.name) \(engine.version)",
            "devices": "\(engine.devices.map(\.description).joined(separator: ", "))",
        ]
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

    /// All models at locations, looked after.
    func repository(of locations: [ModelLocation], session: SessionOptions) -> ModelRepository {
        ModelRepository(
            locations: locations,
            engine: engine,
            session: session,
            cache: cache,
            imaging: imaging,
            logger: logger
        )
    }
}

extension Logger {
    /// The log on standard error, as detailed as the settings say.
    init(_ configuration: EngineConfiguration) {
        self.init(label: "nereid") { StreamLogHandler.standardError(label: $0) }
        logLevel = configuration.logLevel
    }
}

extension ImagingPool {
    /// Threads and memory as the settings say.
    convenience init(_ configuration: EngineConfiguration) {
        let memory = configuration.decodeMemory
        if let threads = configuration.decodeThreads {
            self.init(threads: threads, memory: memory)
        } else {
            self.init(memory: memory)
        }
    }
}

/// Ends the command with a sentence instead of a trace.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
