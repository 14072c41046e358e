// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore
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
        let name = try context.modelName
        let model = try services.model(named: name)
        context.record.update { $0.model = model.name }
        // What is wrong in the query shows before a byte of the body is read.
        _ = try PredictionParameters(query: request.query).options(for: model)
        let upload = try await services.upload(of: request, deadline: deadline)
        let parameters = try PredictionParameters(query: request.query, fields: upload.fields)
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
        if upload.files.count == 1 {
            let answer = try answers[0].get()
            return try await response(to: answer, upload.files[0], model: model.name, parameters, context)
        }
        guard parameters.annotate == nil else {
            throw Problem(
                status: .badRequest,
                code: .badParameter,
                detail: "‘annotate’ answers one picture at a time, but \(upload.files.count) were sent"
            )
        }
        return response(to: answers, upload.files, model: model.name, parameters, context)
    }

    /// One picture: the answer itself.
    private func response(
        to answer: JobAnswer,
        _ file: Upload.File,
        model: String,
        _ parameters: PredictionParameters,
        _ context: ServerContext
    ) async throws -> Response {
        if let annotate = parameters.annotate, let picture = answer.picture {
            let bytes = try await services.imaging.run {
                try Annotation.draw(answer.detections, classifications: answer.classifications, on: picture)
                    .encoded(as: annotate == .png ? .png : .jpeg(quality: 90))
            }
            return Response(
                status: .ok,
                headers: [.contentType: "image/\(annotate.rawValue)"],
                body: .init(byteBuffer: bytes)
            )
        }
        switch parameters.format {
        case .json:
            return Response(json: PredictionDocument(id: context.requestID, model: model, answer: answer))
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
        _ parameters: PredictionParameters,
        _ context: ServerContext
    ) -> Response {
        switch parameters.format {
        case .json:
            let results = zip(files, answers).map { file, answer in
                switch answer {
                case .success(let answer):
                    PictureResultDocument(
                        file: file.name,
                        answer: PredictionDocument(id: context.requestID, model: model, answer: answer)
                    )
                case .failure(let error):
                    PictureResultDocument(file: file.name, error: error)
                }
            }
            return Response(json: ResultsDocument(id: context.requestID, model: model, results: results))
        case .csv:
            let lines = zip(files, answers).map { CSVFormat.lines(file: $0.name ?? "", model: model, $1) }
            return Response(text: CSVFormat.headings + lines.joined(), contentType: CSVFormat.mediaType)
        }
    }
}
