// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird

/// `GET /health/live`, `/health/ready` and `/metrics`: what machines ask.
struct HealthRoutes {
    let readiness: Readiness
    let models: any ModelDirectory
    /// Everything counted, as Prometheus text.
    let metrics: @Sendable () -> String

    private struct Health: Encodable {
        let status: String
        var missing: [String]?
    }

    func add(to router: Router<ServerContext>) {
        router.get("/health/live") { _, _ in Response(json: Health(status: "live")) }
        router.get("/health/ready") { _, _ in
            let missing = readiness.obstacles(models)
            return missing.isEmpty
                ? Response(json: Health(status: "ready"))
                : Response(json: Health(status: "not ready", missing: missing), status: .serviceUnavailable)
        }
        router.get("/metrics") { _, _ in
            Response(text: metrics(), contentType: "text/plain; version=0.0.4; charset=utf-8")
        }
    }
}

extension HealthRoutes {
    init(_ services: Services) {
        self.init(readiness: services.readiness, models: services.models) {
            services.metrics.text(
                models: services.models.entries,
                load: services.queue.load(of:),
                uploads: services.uploads,
                imaging: services.imaging.load
            )
        }
    }
}
