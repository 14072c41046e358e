// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Logging
import NereidImaging
import NereidInference
import NereidJobs
import NereidModels
import NereidServer
import ServiceLifecycle
import UnixSignals

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Page, API and workers in one process.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve models: a page and an HTTP API on http://localhost:8080.",
        discussion: """
            MODEL is an .onnx file, a folder of them, or NAME=PATH. Without one, the bundled demonstration model is served, \
            which can also be named: demo. Folders and files are watched: models that appear are loaded, changed ones \
            replaced, removed ones let go, without a restart.

            Every setting can also be given in the environment (NEREID_ and its name in capitals, as in \
            NEREID_MAX_PICTURE_BYTES) and in a YAML file (max_picture_bytes: 64MiB). A flag goes before the environment, \
            the environment before the file.
            """
    )

    @Argument(help: "Models to serve: PATH or NAME=PATH (demo).")
    var models: [String] = []

    @Option(help: "YAML file with settings (also NEREID_CONFIG).")
    var config: String?

    @OptionGroup(title: "Settings")
    var settings: SettingFlags

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let layers = try SettingsLayers(
            flags: settings.given,
            environment: environment,
            file: config ?? environment["NEREID_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        )
        let server = try ServerConfiguration(layers)
        let engine = try EngineConfiguration(layers)
        let arguments = models.isEmpty ? engine.models : models
        let locations =
            arguments.isEmpty
            ? [.bundled]
            : try arguments.map { argument throws(ModelsError) in try ModelLocation(argument: argument) }
        try await serve(locations, server: server, engine: engine)
    }

    private func serve(
        _ locations: [ModelLocation],
        server configuration: ServerConfiguration,
        engine: EngineConfiguration
    ) async throws {
        let runtime = try Runtime(engine)
        // Beside the loading of the models, which takes as long.
        async let isWarm: Void = runtime.imaging.warmUp()
        let models = ModelRepository(
            locations: locations,
            engine: runtime.engine,
            session: engine.session,
            cache: runtime.cache,
            imaging: runtime.imaging,
            logger: runtime.logger
        )
        let worker = Worker(
            imaging: runtime.imaging,
            limits: configuration.pictures,
            appliesOrientation: configuration.appliesOrientation
        )
        let server = Server(
            configuration: configuration,
            models: models,
            queue: EmbeddedQueue(worker: worker, limits: configuration.queue),
            imaging: runtime.imaging,
            logger: runtime.logger
        ) { port in
            let host = ["0.0.0.0", "::", "127.0.0.1"].contains(configuration.host) ? "localhost" : configuration.host
            runtime.logger.info(
                "listening",
                metadata: [
                    "page": "http://\(host):\(port)", "engine": "\(runtime.engine.name) \(runtime.engine.version)",
                    "devices": "\(runtime.engine.devices.map(\.description).joined(separator: ", "))",
                ]
            )
        }
        // Stopped in reverse: first the server, which finishes its requests, then the models they run on.
        var lifecycle = ServiceGroupConfiguration(
            services: [.init(service: models), .init(service: server)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: runtime.logger.quietened
        )
        lifecycle.maximumGracefulShutdownDuration = configuration.shutdownTimeout
        try await ServiceGroup(configuration: lifecycle).run()
        await isWarm
        await runtime.imaging.shutDown()
        runtime.logger.info("stopped")
    }
}
