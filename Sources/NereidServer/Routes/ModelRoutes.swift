// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird
import NereidModels

/// `GET /v1/models` and `/v1/models/{model}`.
struct ModelRoutes {
    let services: Services

    func add(to router: Router<ServerContext>) {
        router.get("/v1/models") { _, _ in
            Response(json: ModelListDocument(models: services.models.catalogue.statuses.map(document)))
        }
        router.get("/v1/models/{model}") { _, context in
            let name = try context.modelName
            let catalogue = services.models.catalogue
            guard let status = catalogue.status(named: name) else {
                throw ModelsError.notFound(name: name, served: catalogue.statuses.map(\.name))
            }
            return Response(json: document(status))
        }
    }

    private func document(_ status: ModelStatus) -> ModelDocument {
        ModelDocument(status, load: services.queue.load(of: status.name), limits: services.configuration.queue)
    }
}
