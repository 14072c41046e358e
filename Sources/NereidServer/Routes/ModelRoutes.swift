// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird

/// `GET /v1/models` and `/v1/models/{model}`.
struct ModelRoutes {
    let services: Services

    func add(to router: Router<ServerContext>) {
        router.get("/v1/models") { _, _ in
            Response(json: ModelListDocument(models: services.models.entries.map(document)))
        }
        router.get("/v1/models/{model}") { _, context in
            Response(json: document(try services.models.entry(named: try context.modelName)))
        }
    }

    private func document(_ entry: ModelEntry) -> ModelDocument {
        ModelDocument(entry, load: services.queue.load(of: entry.name), limits: services.configuration.queue)
    }
}
