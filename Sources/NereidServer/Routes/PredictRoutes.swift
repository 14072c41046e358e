// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore
import NereidImaging
import NereidJobs
import NereidVision

/// `POST /v1/models/{model}/predict`.
struct PredictRoutes {
    let services: Services

    func add(to router: Router<ServerContext>) {
        router.post("/v1/models/{model}/predict") { request, context in
            try await predict(request, context)
        }
    }

    private func predict(_ request: Request, _ context: ServerContext) async throws -> Response {
        let deadline = ContinuousClock.now + services.configuration.requestTimeout
        let model = try services.model(named: try context.modelName)
        context.record.update { $0.model = model.name }
        // What is wrong in the query shows before a byte of the body is read.
        _ = try PredictionParameters(query: request.query).options(for: model)
        let upload = try await services.upload(of: request, deadline: deadline)
        let parameters = try PredictionParameters(query: request.query, fields: upload.fields)
        guard parameters.annotate == nil || upload.files.count <= 1 else {
            throw Problem(
                status: .badRequest,
                code: .badParameter,
                detail: "‘annotate’ answers one picture at a time, but \(upload.files.count) were sent"
            )
        }
        let answers = try await services.predict(
            upload,
            .init(
                id: context.requestID,
                model: model,
                options: try parameters.options(for: model),
                deadline: deadline,
                keepsPictures: parameters.annotate != nil
            ),
            context: context
        )
        let (files, served, id) = (upload.files, model.name, context.requestID)
        if files.count == 1, let annotate = parameters.annotate {
            let answer = try answers[0].get()
            return try await services.render(for: served, by: deadline, context) { limit in
                try annotated(answer, as: annotate, limit)
            }
        }
        let first = files.count == 1 ? try answers[0].get() : nil
        @Sendable func response(_ limit: WorkLimit) throws -> Response {
            try first.map { try self.response(to: $0, files[0], model: served, id: id, parameters, limit) }
                ?? self.response(to: answers, files, model: served, id: id, parameters, limit)
        }
        // Short answers are written at once: another thread would take longer to wake than to write them.
        let isLong = answers.contains { (try? $0.get())?.isLong ?? false }
        guard isLong else { return try response(.unlimited) }
        return try await services.render(for: served, by: deadline, context, response)
    }

    private func annotated(
        _ answer: JobAnswer,
        as form: PredictionParameters.Annotate,
        _ limit: WorkLimit
    ) throws -> Response {
        guard let picture = answer.picture else {
            throw ImagingError.encodingFailed(reason: "the picture was not kept")
        }
        let bytes = try Annotation.draw(
            answer.detections,
            classifications: answer.classifications,
            on: picture,
            limit: limit
        ).encoded(as: form == .png ? .png : .jpeg(quality: 90), limit: limit)
        return Response(
            status: .ok,
            headers: [.contentType: "image/\(form.rawValue)"],
            body: .init(byteBuffer: bytes)
        )
    }

    /// One picture: the answer itself.
    private func response(
        to answer: JobAnswer,
        _ file: Upload.File,
        model: String,
        id: String,
        _ parameters: PredictionParameters,
        _ limit: WorkLimit
    ) throws -> Response {
        switch parameters.format {
        case .json:
            return try Response(
                json: PredictionDocument(id: id, model: model, answer: answer, limit: limit),
                limit: limit
            )
        case .csv:
            let lines = CSVFormat.lines(file: file.name ?? "", model: model, .success(answer))
            return Response(text: CSVFormat.headings + lines, contentType: CSVFormat.mediaType)
        }
    }

    /// Several pictures: a result for each, an answer or what is wrong with it.
    private func response(
        to answers: [Result<JobAnswer, any Error>],
        _ files: [Upload.File],
        model: String,
        id: String,
        _ parameters: PredictionParameters,
        _ limit: WorkLimit
    ) throws -> Response {
        switch parameters.format {
        case .json:
            let results = try zip(files, answers).map { file, answer in
                try limit.check()
                return switch answer {
                case .success(let answer):
                    PictureResultDocument(
                        file: file.name,
                        answer: try PredictionDocument(id: id, model: model, answer: answer, limit: limit)
                    )
                case .failure(let error):
                    PictureResultDocument(file: file.name, error: error)
                }
            }
            return try Response(json: ResultsDocument(id: id, model: model, results: results), limit: limit)
        case .csv:
            let lines = try zip(files, answers).map { file, answer in
                try limit.check()
                return CSVFormat.lines(file: file.name ?? "", model: model, answer)
            }
            return Response(text: CSVFormat.headings + lines.joined(), contentType: CSVFormat.mediaType)
        }
    }
}
