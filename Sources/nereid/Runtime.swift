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

    /// Checks that models can run where the settings say: a device that was asked for by name and is not there is an error, not
    /// a reason to run elsewhere. `auto` falls back to the processor, which the log says.
    ///
    /// - Throws: `InferenceError.deviceUnavailable`.
    func check(_ device: Device) async throws {
        switch device {
        case .cpu: return
        case .cuda: try await engine.check(device)
        case .auto:
            for device in engine.devices where device != .cpu {
                do {
                    try await engine.check(device)
                } catch {
                    logger.warning(
                        "GPU can't be used, models run on the processor; name a device to have that as an error",
                        metadata: ["device": "\(device)", "reason": "\(error)"]
                    )
                }
            }
        }
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
        self.init(label: "nereid") { _ in LogfmtHandler.standardError() }
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
