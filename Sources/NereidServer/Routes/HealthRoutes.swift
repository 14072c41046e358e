// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird

/// `GET /health/live`, `/health/ready` and `/metrics`: what machines ask.
struct HealthRoutes {
    let readiness: Readiness
    let models: any ModelDirectory
    /// What is wrong beside, while requests are answered.
    var degradations: @Sendable () -> [String] = { [] }
    /// Everything counted, as Prometheus text.
    let metrics: @Sendable () -> String

    private struct Health: Encodable {
        let status: String
        var missing: [String]?
        var broken: [ReadinessReport.BrokenModel]?
        /// What else is wrong, in words.
        var degraded: [String]?
    }

    func add(to router: Router<ServerContext>) {
        router.get("/health/live") { _, _ in Response(json: Health(status: "live")) }
        router.get("/health/ready") { _, _ in
            let report = readiness.report(models)
            let troubles = degradations()
            let isDegraded = report.state == .ready && !troubles.isEmpty
            let health = Health(
                status: isDegraded ? ReadinessReport.State.degraded.rawValue : report.state.rawValue,
                missing: report.missing.isEmpty ? nil : report.missing,
                broken: report.broken.isEmpty ? nil : report.broken,
                degraded: troubles.isEmpty ? nil : troubles
            )
            return Response(json: health, status: report.state == .notReady ? .serviceUnavailable : .ok)
        }
        router.get("/metrics") { _, _ in
            Response(text: metrics(), contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
    }
}

extension HealthRoutes {
    init(_ services: Services) {
        self.init(
            readiness: services.readiness,
            models: services.models,
            degradations: { services.jobs?.storage.troubles ?? [] }
        ) {
            services.metrics.text(
                models: services.models.entries,
                load: services.queue.load(of:),
                uploads: services.uploads,
                readiness: services.readiness.report(services.models),
                jobs: services.jobs?.storage,
                imaging: services.imaging.load
            )
        }
    }
}
