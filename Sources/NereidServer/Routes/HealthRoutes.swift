// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NereidModels
import Synchronization

/// Whether the server wants requests.
final class Readiness: Sendable {
    private let isStopping = Atomic(false)

    /// From now on no new requests are wanted.
    func stop() { isStopping.store(true, ordering: .relaxed) }

    /// What stands against sending requests here; empty when nothing does.
    func obstacles(_ catalogue: ModelCatalogue) -> [String] {
        if isStopping.load(ordering: .relaxed) { return ["the server is shutting down"] }
        if !catalogue.isComplete { return ["models are being loaded"] }
        if catalogue.statuses.isEmpty { return ["no model is configured"] }
        return catalogue.statuses.compactMap { status in
            switch status.state {
            case .ready: nil
            case .loading: "model ‘\(status.name)’ is being loaded"
            case .failed: status.failure ?? "model ‘\(status.name)’ can't be served"
            }
        }
    }
}

/// `GET /health/live`, `/health/ready` and `/metrics`: what machines ask.
struct HealthRoutes {
    let services: Services

    private struct Health: Encodable {
        let status: String
        var missing: [String]?
    }

    func add(to router: Router<ServerContext>) {
        router.get("/health/live") { _, _ in Response(json: Health(status: "live")) }
        router.get("/health/ready") { _, _ in
            let missing = services.readiness.obstacles(services.models.catalogue)
            return missing.isEmpty
                ? Response(json: Health(status: "ready"))
                : Response(json: Health(status: "not ready", missing: missing), status: .serviceUnavailable)
        }
        router.get("/metrics") { _, _ in
            Response(
                text: services.metrics.text(
                    models: services.models.catalogue,
                    queue: services.queue,
                    uploads: services.uploads
                ),
                contentType: "text/plain; version=0.0.4; charset=utf-8"
            )
        }
    }
}
