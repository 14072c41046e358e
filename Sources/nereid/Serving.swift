// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NereidImaging
import NereidJobs
import NereidModels
import NereidServer
import ServiceLifecycle
import UnixSignals

extension ServiceGroup {
    /// Runs services until one of them fails, or the process is told to stop: SIGTERM or SIGINT. Then they are stopped in
    /// reverse, each when the one after it has ended.
    ///
    /// - Parameter limit: what has not ended so long after the signal is cut off.
    static func run(_ services: [any Service], stoppingWithin limit: Duration, logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) },
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger.quietened
        )
        configuration.maximumGracefulShutdownDuration = limit
        try await ServiceGroup(configuration: configuration).run()
    }
}

extension Worker {
    /// Decodes as the settings say.
    init(_ configuration: ServerConfiguration, imaging: ImagingPool) {
        self.init(
            imaging: imaging,
            limits: configuration.pictures,
            appliesOrientation: configuration.appliesOrientation,
            maskPixels: configuration.maxMaskPixels
        )
    }
}

extension RedisQueue {
    /// A gateway's side of a queue as the settings say.
    convenience init(
        _ address: RedisAddress,
        _ configuration: ServerConfiguration,
        imaging: ImagingPool,
        logger: Logger
    ) {
        self.init(
            address,
            limits: configuration.queue,
            imaging: imaging,
            decoding: configuration.pictures,
            appliesOrientation: configuration.appliesOrientation,
            logger: logger
        )
    }
}

extension LegacyQueue {
    /// A gateway's side of the older server's lists as the settings say.
    convenience init(
        _ address: RedisAddress,
        _ configuration: ServerConfiguration,
        imaging: ImagingPool,
        logger: Logger
    ) {
        self.init(
            address,
            lists: configuration.legacyLists,
            limits: configuration.queue,
            imaging: imaging,
            decoding: configuration.pictures,
            appliesOrientation: configuration.appliesOrientation,
            logger: logger
        )
    }
}

extension RedisWorker {
    /// A worker of the models that a repository has at each moment.
    convenience init(_ address: RedisAddress, worker: Worker, models: ModelRepository, logger: Logger) {
        self.init(
            address,
            worker: worker,
            models: { models.catalogue.statuses.compactMap(\.model) },
            host: ProcessInfo.processInfo.hostName,
            software: "nereid \(Nereid.version)",
            logger: logger
        )
    }
}
