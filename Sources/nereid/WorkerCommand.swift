// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import ArgumentParser
import NereidJobs
import NereidModels
import NereidServer
import ServiceLifecycle

/// Workers only: models, and no API but health and metrics.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run models for gateways on other machines, which share a queue in Redis.",
        discussion: """
            Start as many as wanted, on any machines: each says what it serves, and gateways follow within two seconds. Told \
            to stop (SIGTERM) it takes no more, finishes what it has, and ends with status 0; one that dies loses nothing, \
            since others take its jobs over.

            It answers /health/live, /health/ready and /metrics on --host and --port. Its settings are those of nereid serve.
            """
    )

    @OptionGroup
    var source: SettingsSource

    func run() async throws {
        let layers = try source.layers()
        var server = try ServerConfiguration(layers)
        let engine = try EngineConfiguration(layers)
        guard let address = server.queueAddress else {
            throw CommandFailure(
                "a worker needs the queue that it takes jobs from: --queue redis://HOST:6379/0 (NEREID_QUEUE)"
            )
        }
        // Nobody sends it requests that would have to learn first that it leaves.
        server.shutdownDelay = .zero
        let plan = ServingPlan(
            role: .worker,
            server: server,
            engine: engine,
            models: source.models(engine)
        )
        if source.check { return print(plan.description) }
        try await work(plan, at: address)
    }

    private func work(_ plan: ServingPlan, at address: RedisAddress) async throws {
        let runtime = try Runtime(plan.engine)
        for warning in plan.warnings { runtime.logger.warning("\(warning)") }
        try await runtime.check(plan.engine.session.device)
        let certificates = try plan.server.tls.map { try CertificateKeeper($0, logger: runtime.logger) }
        async let isWarm: Void = runtime.imaging.warmUp()
        let models = runtime.repository(of: try plan.locations(), session: plan.engine.session)
        let worker = RedisWorker(
            address,
            worker: Worker(plan.server, imaging: runtime.imaging),
            models: models,
            logger: runtime.logger
        )
        let server = Server(
            healthOf: WorkerDirectory(models, worker: worker),
            configuration: plan.server,
            load: { worker.load(of: $0) },
            imaging: runtime.imaging,
            certificates: certificates,
            logger: runtime.logger
        ) { port in
            runtime.logger.info(
                "listening",
                metadata: plan.announcement(port: port).merging(runtime.description) { $1 }
            )
        }
        // Stopped in reverse: health is answered until the last job is.
        try await ServiceGroup.run(
            [models, server, worker],
            stoppingWithin: plan.server.shutdownTimeout,
            logger: runtime.logger
        )
        await isWarm
        await runtime.imaging.shutDown()
        runtime.logger.info("stopped")
    }
}
