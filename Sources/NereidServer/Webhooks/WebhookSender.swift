// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Logging
public import NereidJobs
import NIOCore
public import ServiceLifecycle

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Tells webhooks that their jobs are done, again if need be, until they have answered or it was tried often enough.
///
/// A message that is being sent when the process dies is sent again later: receivers tell such doubles by the job's id.
public struct WebhookSender: Service {
    private let store: any BulkJobStore
    private let delivery: WebhookDelivery
    private let schedule: WebhookSchedule
    /// How long to wait when nothing is due.
    private let pause: Duration
    private let logger: Logger

    /// Messages that are sent at one time, so that one slow webhook holds up no other.
    private static let atOnce = 16
    /// Longer than looking up a name and sending a message may take together.
    private static let lease = Duration.seconds(120)

    /// Makes a sender; it sends once it is run.
    ///
    /// - Parameters:
    ///   - store: whose finished jobs are told.
    ///   - hosts: where webhooks may lead beside the open Internet.
    ///   - secret: what messages are signed with.
    public init(
        store: any BulkJobStore,
        configuration: WebhookConfiguration,
        secret: WebhookSecret,
        logger: Logger
    ) {
        self.init(
            store: store,
            delivery: WebhookDelivery(
                rules: WebhookAddressRules(allowedHosts: configuration.hosts),
                secret: secret,
                resolver: .system,
                now: { Date.now }
            ),
            schedule: WebhookSchedule(),
            pause: .seconds(1),
            logger: logger
        )
    }

    init(
        store: any BulkJobStore,
        delivery: WebhookDelivery,
        schedule: WebhookSchedule,
        pause: Duration,
        logger: Logger
    ) {
        self.store = store
        self.delivery = delivery
        self.schedule = schedule
        self.pause = pause
        self.logger = logger
    }

    /// Sends what is due until the service is told to stop, and what is being sent then to its end.
    public func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            var (sending, isReachable) = (0, true)
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                do {
                    let notice = try await store.dueNotice(lease: Self.lease)
                    isReachable = true
                    if let notice {
                        group.addTask { await tell(notice) }
                        sending += 1
                        if sending == Self.atOnce, await group.next() != nil { sending -= 1 }
                        continue
                    }
                } catch {
                    if isReachable, !Task.isCancelled {
                        logger.warning("webhooks wait", metadata: ["reason": "\(error)"])
                    }
                    isReachable = false
                }
                try? await cancelWhenGracefulShutdown { [pause] in try await Task.sleep(for: pause) }
            }
        }
    }

    private func tell(_ notice: BulkNotice) async {
        let outcome = await delivery.send(notice)
        let attempts = notice.attempts + 1
        let state: BulkJob.Webhook
        var retry: Date?
        switch outcome {
        case .delivered: state = .delivered
        case .refused(let reason): state = .givenUp(reason: reason)
        case .failed(let reason):
            if let wait = schedule.wait(after: attempts) {
                state = .waiting
                retry = delivery.now().addingTimeInterval(wait / .seconds(1))
            } else {
                state = .givenUp(reason: "after \(attempts) attempts: \(reason)")
            }
        }
        logger.info(
            "webhook",
            metadata: ["job": "\(notice.job.id)", "attempt": "\(attempts)", "outcome": "\(outcome)"]
        )
        do {
            try await store.settleNotice(of: notice.job.id, as: state, retry: retry)
        } catch {
            // It is due again when its lease ends.
            logger.warning("webhook can't be settled", metadata: ["job": "\(notice.job.id)", "reason": "\(error)"])
        }
    }
}
