// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NereidJobs
import NereidServer
import ServiceLifecycle

/// Where a serving process keeps jobs that outlive their requests, and what it runs for them.
struct KeptJobs {
    /// `nil` where none are kept.
    let store: (any BulkJobStore)?
    /// Why none are, for those who ask.
    let reason: String
    /// Takes pictures that wait in the store, where no other process does, and tells webhooks.
    let services: [any Service]
    private let shutDownStore: @Sendable () -> Void

    /// Ends what the store holds open, when its services have ended.
    func shutDown() { shutDownStore() }

    /// Jobs in Redis, whose workers take the pictures by themselves.
    static func inRedis(at address: RedisAddress, _ configuration: ServerConfiguration, logger: Logger) -> KeptJobs {
        let store = RedisJobStore(
            address,
            limits: configuration.bulk,
            pictures: configuration.pictures,
            timeout: configuration.requestTimeout,
            logger: logger
        )
        return KeptJobs(store, configuration, logger: logger, runner: nil) { store.shutDown() }
    }

    /// Jobs in a database of this machine, taken by this process.
    ///
    /// Another process that uses the user's own folder already, or one that can't be written, is no reason not to serve; a
    /// folder that was asked for is. A full disk and a damaged database are waited for: everything else is served meanwhile.
    ///
    /// - Throws: `BulkError.unavailable`.
    static func inDatabase(
        _ configuration: ServerConfiguration,
        queue: any JobQueue,
        models: any ModelDirectory,
        logger: Logger
    ) async throws -> KeptJobs {
        if configuration.jobsFolder == "off" { return KeptJobs(without: "this server was told not to (jobs is off)") }
        let folder =
            configuration.jobsFolder
            ?? DatabaseJobStore.defaultFolder(environment: ProcessInfo.processInfo.environment)
        guard let folder else {
            return KeptJobs(without: "there is no home folder to keep them in; name a folder by the setting jobs")
        }
        do {
            let store = try await SupervisedJobStore(
                folder: folder,
                limits: configuration.bulk,
                document: JobResultDocument.json(of:job:model:),
                logger: logger
            ) { store in
                BulkRunner(store: store, queue: queue, model: { try models.model(named: $0) }, logger: logger)
            }
            return KeptJobs(store, configuration, logger: logger, runner: store) {}
        } catch BulkError.unavailable(let reason) where configuration.jobsFolder == nil {
            logger.warning("jobs that outlive their request are not kept", metadata: ["reason": "\(reason)"])
            return KeptJobs(without: reason)
        }
    }

    private init(without reason: String) {
        (store, self.reason, services, shutDownStore) = (nil, reason, [], {})
    }

    private init(
        _ store: any BulkJobStore,
        _ configuration: ServerConfiguration,
        logger: Logger,
        runner: (any Service)?,
        shutDown: @escaping @Sendable () -> Void
    ) {
        self.store = store
        reason = ""
        shutDownStore = shutDown
        let sender = configuration.webhooks.secret.map { secret in
            WebhookSender(store: store, configuration: configuration.webhooks, secret: secret, logger: logger)
        }
        let all: [(any Service)?] = [runner, sender]
        services = all.compactMap(\.self)
    }
}
