// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import Logging
import NereidImaging
import NereidJobs
import NereidModels
import NereidServer
import ServiceLifecycle

/// Page, API and workers in one process; or a gateway, whose workers are elsewhere.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve models: a page and an HTTP API on http://localhost:8080.",
        discussion: """
            MODEL is an .onnx file, a checkpoint (.pt, .pth, .pkl), a folder of them, or NAME=PATH. Without one, the bundled demonstration model is served, \
            which can also be named: demo. Folders and files are watched: models that appear are loaded, changed ones \
            replaced, removed ones let go, without a restart.

            With --queue redis://HOST:6379/0 jobs wait in Redis, where workers on other machines take them as well: nereid \
            worker. With --no-workers beside it this process is a gateway: page and API, and no model in it.

            Every setting can also be given in the environment (NEREID_ and its name in capitals, as in \
            NEREID_MAX_PICTURE_BYTES) and in a YAML file (max_picture_bytes: 64MiB). A flag goes before the environment, \
            the environment before the file.
            """
    )

    @Flag(help: "Run no models in this process: a gateway, the same as --workers false.")
    var noWorkers = false

    @OptionGroup
    var source: SettingsSource

    func run() async throws {
        let layers = try source.layers(and: noWorkers ? [.workers: "false"] : [:])
        let server = try ServerConfiguration(layers)
        let engine = try EngineConfiguration(layers)
        let plan = ServingPlan(server: server, engine: engine, models: source.models(engine))
        if !server.runsModels, !plan.models.isEmpty {
            throw CommandFailure(
                "a gateway runs no models, but was given \(plan.models.joined(separator: ", ")). "
                    + "Give models to nereid worker, or leave --no-workers out"
            )
        }
        if source.check { return print(plan.description) }
        try await serve(plan)
    }

    private func serve(_ plan: ServingPlan) async throws {
        let logger = Logger(plan.engine)
        let certificates = try plan.server.tls.map { try CertificateKeeper($0, logger: logger) }
        let imaging = ImagingPool(plan.engine)
        // Beside the loading of the models, which takes as long.
        async let isWarm: Void = imaging.warmUp()
        // Stopped in reverse: first the server, which finishes its requests, then what they run on.
        var services: [any Service] = []
        var directories: [any ModelDirectory] = []
        var announcement: Logger.Metadata = [:]
        var repository: ModelRepository?
        if plan.server.runsModels {
            let runtime = try Runtime(plan.engine, imaging: imaging)
            for warning in plan.warnings { logger.warning("\(warning)") }
            try await runtime.check(plan.engine.session.device)
            announcement = runtime.description
            let models = runtime.repository(of: try plan.locations(), session: plan.engine.session)
            repository = models
            services.append(models)
            directories.append(models)
        }
        let worker = Worker(plan.server, imaging: imaging)
        let (queue, jobs): (any JobQueue, KeptJobs)
        if let address = plan.server.queueAddress {
            let shared = RedisQueue(address, plan.server, imaging: imaging, logger: logger)
            services.append(shared)
            directories.append(shared)
            var joined: any JobQueue = shared
            if !plan.server.legacyLists.isEmpty {
                let legacy = LegacyQueue(address, plan.server, imaging: imaging, logger: logger)
                services.append(legacy)
                directories.append(legacy)
                joined = JoinedQueue(legacy, for: Set(legacy.lists.map(\.model)), others: shared)
            }
            if let repository {
                services.append(RedisWorker(address, worker: worker, models: repository, logger: logger))
            }
            (queue, jobs) = (joined, .inRedis(at: address, plan.server, logger: logger))
        } else {
            let embedded = EmbeddedQueue(worker: worker, limits: plan.server.queue)
            queue = embedded
            jobs = try await .inDatabase(
                plan.server,
                queue: embedded,
                models: JoinedDirectory(directories),
                logger: logger
            )
        }
        services += jobs.services
        let server = Server(
            configuration: plan.server,
            models: directories.count == 1 ? directories[0] : JoinedDirectory(directories),
            queue: queue,
            jobs: jobs.store,
            withoutJobsReason: jobs.reason,
            imaging: imaging,
            certificates: certificates,
            logger: logger
        ) { [announcement] port in
            logger.info("listening", metadata: plan.announcement(port: port).merging(announcement) { $1 })
        }
        services.append(server)
        try await ServiceGroup.run(services, stoppingWithin: plan.server.shutdownTimeout, logger: logger)
        jobs.shutDown()
        await isWarm
        await imaging.shutDown()
        logger.info("stopped")
    }
}
