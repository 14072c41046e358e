// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import HummingbirdCore
public import Logging
public import NereidImaging
public import NereidJobs
import NIOCore
public import ServiceLifecycle

/// The HTTP face: routes, uploads, the page, limits and metrics, in front of a queue of jobs.
///
/// It is a service: told to stop, it says so at `/health/ready`, finishes the requests it has taken, and leaves.
public struct Server: Service {
    private let configuration: ServerConfiguration
    private let certificates: CertificateKeeper?
    private let readiness: Readiness
    private let metrics: ServerMetrics
    private let connections: ConnectionLimit
    private let estimates: RoomEstimates?
    private let addRoutes: @Sendable (Router<ServerContext>) -> Void
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// Makes a server with the page and every call; it listens once it is run.
    ///
    /// - Parameters:
    ///   - configuration: how it listens and what it allows.
    ///   - models: what is served.
    ///   - queue: where jobs go.
    ///   - jobs: where jobs that outlive their request are kept; `nil`: nowhere.
    ///   - withoutJobsReason: why they are kept nowhere, for those who ask.
    ///   - imaging: the threads on which annotated pictures are drawn, and zips of pictures unpacked.
    ///   - certificates: what connections are secured with, looked after while the server runs; `nil`: HTTP/1.1 without TLS.
    ///   - onListening: called with the port as soon as connections are accepted.
    public init(
        configuration: ServerConfiguration,
        models: any ModelDirectory,
        queue: any JobQueue,
        jobs: (any BulkJobStore)? = nil,
        withoutJobsReason: String = "this server does not keep jobs (setting jobs)",
        imaging: ImagingPool,
        certificates: CertificateKeeper? = nil,
        logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        let services = Services(
            configuration: configuration,
            models: models,
            queue: queue,
            jobs: jobs,
            withoutJobsReason: withoutJobsReason,
            imaging: imaging,
            metrics: ServerMetrics(),
            uploads: UploadMemory(limit: configuration.maxUploadMemory),
            readiness: Readiness(required: configuration.requiredModels)
        )
        self.init(
            configuration: configuration,
            certificates: certificates,
            readiness: services.readiness,
            metrics: services.metrics,
            estimates: RoomEstimates(services),
            logger: logger,
            onListening: onListening
        ) { router in
            PredictRoutes(services: services).add(to: router)
            JobRoutes(services: services).add(to: router)
            CompatibleRoutes(services: services).add(to: router)
            ModelRoutes(services: services).add(to: router)
            HealthRoutes(services).add(to: router)
            PageRoutes().add(to: router)
        }
    }

    /// Makes a server that answers for a process without an API of its own: `/health/live`, `/health/ready` and `/metrics`.
    ///
    /// - Parameters:
    ///   - configuration: how it listens and what it allows.
    ///   - models: what the process runs.
    ///   - load: how a model's jobs stand in this process.
    ///   - imaging: the threads that decode, for the metrics.
    ///   - certificates: what connections are secured with, looked after while the server runs; `nil`: HTTP/1.1 without TLS.
    ///   - onListening: called with the port as soon as connections are accepted.
    public init(
        healthOf models: any ModelDirectory,
        configuration: ServerConfiguration,
        load: @escaping @Sendable (String) -> QueueLoad,
        imaging: ImagingPool? = nil,
        certificates: CertificateKeeper? = nil,
        logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        let (readiness, metrics) = (Readiness(required: configuration.requiredModels), ServerMetrics())
        self.init(
            configuration: configuration,
            certificates: certificates,
            readiness: readiness,
            metrics: metrics,
            estimates: nil,
            logger: logger,
            onListening: onListening
        ) { router in
            HealthRoutes(readiness: readiness, models: models) {
                metrics.text(
                    models: models.entries,
                    load: load,
                    readiness: readiness.report(models),
                    imaging: imaging?.load
                )
            }
            .add(to: router)
        }
    }

    private init(
        configuration: ServerConfiguration,
        certificates: CertificateKeeper?,
        readiness: Readiness,
        metrics: ServerMetrics,
        estimates: RoomEstimates?,
        logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void,
        addRoutes: @escaping @Sendable (Router<ServerContext>) -> Void
    ) {
        self.configuration = configuration
        self.certificates = certificates
        self.readiness = readiness
        self.metrics = metrics
        self.logger = logger
        self.onListening = onListening
        self.estimates = estimates
        connections = ConnectionLimit(ConnectionTable(limit: configuration.maxConnections))
        self.addRoutes = addRoutes
    }

    /// Serves until the service is told to stop.
    ///
    /// Then `/health/ready` says so for a while in which connections are still taken, so that whoever sends requests here
    /// learns of it before they would fail; the requests taken are finished; and it returns.
    ///
    /// - Throws: ``ServerError`` when it can't listen.
    public func run() async throws {
        let (readiness, configuration) = (readiness, configuration)
        checkOpenFiles()
        let services: [any Service] = (certificates.map { [$0] } ?? []) + [application]
        // A group of its own, apart from the one that runs this service, decides when the listener closes.
        let group = ServiceGroup(configuration: .init(services: services, logger: logger.quietened))
        let serving = Task.detached { try await group.run() }
        try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                do {
                    try await serving.value
                } catch {
                    throw ServerError(error, host: configuration.host, port: configuration.port) ?? error
                }
            } onGracefulShutdown: {
                readiness.stopping.come()
                Task {
                    try? await Task.sleep(for: configuration.shutdownDelay)
                    await group.triggerGracefulShutdown()
                }
            }
        } onCancel: {
            serving.cancel()
        }
    }

    var application: some ApplicationProtocol {
        Application(
            router: router,
            server: certificates.map { .secure(by: $0, connectionContext) } ?? .plain(connectionContext),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "Nereid",
                backlog: 1024,
                // The connections' own limit closes what is too much; this one only waits until they are closed.
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.mostSockets)
            ),
            onServerRunning: { [onListening, configuration, logger] channel in
                // The only error is that it is closed already.
                try? await channel.eventLoop.submit {
                    try channel.pipeline.syncOperations.addHandler(AcceptErrors(logger: logger), position: .first)
                }.get()
                await onListening(channel.localAddress?.port ?? configuration.port)
            },
            logger: logger
        )
    }

    /// Sees to it that as many connections can be open as may be.
    private func checkOpenFiles() {
        let needed = configuration.mostSockets + 256
        let limit = OpenFileLimit.raise(to: needed)
        guard limit < needed else { return }
        logger.warning(
            "fewer files may be open than max_connections needs; raise the limit (ulimit -n, LimitNOFILE=)",
            metadata: ["limit": "\(limit)", "needed": "\(needed)"]
        )
    }

    private var connectionContext: ConnectionContext {
        ConnectionContext(
            stopping: readiness.stopping,
            limit: connections,
            idleTimeout: configuration.idleTimeout
        )
    }

    private var router: Router<ServerContext> {
        let router = Router(context: ServerContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: RequestLog(metrics: metrics))
        if let origin = configuration.corsOrigin {
            router.add(
                middleware: CORSMiddleware(
                    allowOrigin: origin == "*" ? .all : .custom(origin),
                    allowHeaders: [
                        .accept, .contentType, .contentEncoding, .authorization, .idempotencyKey, .lastEventID,
                        .requestID, .traceParent, .traceState,
                    ],
                    allowMethods: [.get, .post, .delete, .options],
                    maxAge: .hours(1)
                )
            )
            router.add(middleware: ExposedHeaders())
        }
        router.add(middleware: ProblemResponses(estimates: estimates))
        router.add(
            middleware: ConnectionRules(
                hosts: configuration.hosts,
                limit: connections,
                maxConnections: configuration.maxConnections
            )
        )
        addRoutes(router)
        // Reached where no route is: only then do the routes' methods matter.
        router.add(middleware: OtherMethods(router.routes))
        return router
    }
}

extension Logger {
    /// The same log without a life cycle's own notices.
    public var quietened: Logger {
        var logger = self
        logger.logLevel = max(logLevel, .notice)
        return logger
    }
}
