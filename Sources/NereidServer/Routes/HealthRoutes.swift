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
        var degraded: [String]?
    }

    func add(to router: Router<ServerContext>) {
        router.get("/health/live") { _, _ in Response(json: Health(status: "live")) }
        router.get("/health/ready") { _, _ in
            let missing = readiness.obstacles(models)
            let degraded = degradations()
            return missing.isEmpty
                ? Response(json: Health(status: "ready", degraded: degraded.isEmpty ? nil : degraded))
                : Response(json: Health(status: "not ready", missing: missing), status: .serviceUnavailable)
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
                jobs: services.jobs?.storage
            )
        }
    }
}
