// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird
import NereidJobs
import NereidVision

/// The calls of the older server, under the paths that its clients have: `/predictor` and `/predict`, with and without
/// `/model/v1`, with and without a slash at the end, none of them a redirect.
struct CompatibleRoutes {
    let services: Services

    func add(to router: Router<ServerContext>) {
        for prefix in ["", "/model/v1"] {
            router.post("\(prefix)/predictor") { request, context in await predictor(request, context) }
            router.post("\(prefix)/predict") { request, context in try await concepts(request, context) }
        }
    }

    /// `model_type` and `file` in a form; errors in the shape that these clients know.
    private func predictor(_ request: Request, _ context: ServerContext) async -> Response {
        do {
            let detections = try await detections(request, context) { upload in
                guard let name = try upload.fields.one("model_type") else {
                    throw Problem(
                        status: .badRequest,
                        code: .badParameter,
                        detail: "the form has no field ‘model_type’, which names the model"
                    )
                }
                return name
            }
            return Response(json: PredictorDocument(detections))
        } catch {
            let problem = Problem(error)
            context.record.update { $0.problem = problem.code }
            var response = Response(json: PredictorDocument(error: problem.detail), status: problem.status)
            response.headers.append(contentsOf: problem.headers)
            return response
        }
    }

    /// `file` in a form, for the default model.
    private func concepts(_ request: Request, _ context: ServerContext) async throws -> Response {
        let detections = try await detections(request, context) { try $0.fields.one("model_type") }
        return Response(json: detections.map(ConceptDocument.init))
    }

    private func detections(
        _ request: Request,
        _ context: ServerContext,
        modelName: (Upload) throws -> String?
    ) async throws -> [Detection] {
        let deadline = ContinuousClock.now + services.configuration.requestTimeout
        let upload = try await services.upload(of: request, deadline: deadline)
        let model = try services.model(named: try modelName(upload))
        guard upload.files.count <= 1 else {
            throw Problem(
                status: .badRequest,
                code: .malformedUpload,
                detail: "this call takes one picture, but \(upload.files.count) were sent; "
                    + "/v1/models/{model}/predict takes several"
            )
        }
        let answers = try await services.predict(
            upload,
            .init(id: context.requestID, model: model, options: .init(), deadline: deadline),
            context: context
        )
        return try answers[0].get().boxes
    }
}
