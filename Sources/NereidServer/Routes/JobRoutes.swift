// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore
import NereidJobs

/// The calls about jobs that outlive their request.
struct JobRoutes {
    let services: Services

    func add(to router: Router<ServerContext>) {
        router.post("/v1/models/{model}/jobs") { request, context in try await accept(request, context) }
        router.get("/v1/jobs") { request, _ in try await list(request) }
        router.get("/v1/jobs/{job}") { request, context in try await show(request, context) }
        router.delete("/v1/jobs/{job}") { _, context in
            let (store, id) = (try services.jobStore, try context.jobID)
            guard try await store.remove(id) else { throw BulkError.notFound(id: id) }
            return Response(status: .noContent)
        }
        router.get("/v1/jobs/{job}/events") { request, context in
            let (store, id) = (try services.jobStore, try context.jobID)
            let sequence = try JobQuery.lastSequence(request)
            guard try await store.job(id) != nil else { throw BulkError.notFound(id: id) }
            return JobEvents(
                store: store,
                id: id,
                channel: context.channel,
                readiness: services.readiness,
                reading: services.eventReading,
                patience: services.configuration.idleTimeout,
                heartbeat: services.configuration.eventHeartbeat
            ).response(after: sequence)
        }
    }

    private func accept(_ request: Request, _ context: ServerContext) async throws -> Response {
        let deadline = ContinuousClock.now + services.configuration.requestTimeout
        let store = try services.jobStore
        let model = try services.model(named: try context.modelName)
        context.record.update {
            $0.model = model.name
            $0.order = .received
        }
        let webhooks = services.configuration.webhooks
        // What is wrong in the head shows before a byte of the body is read.
        _ = try JobParameters(request, webhooks: webhooks).options(for: model)
        let packed = try await services.upload(of: request, deadline: deadline, takesArchives: true)
        let parameters = try JobParameters(request, fields: packed.fields, webhooks: webhooks)
        let options = try parameters.options(for: model)
        let services = services
        let (upload, skipped) = try await context.channel.untilClientLeaves {
            try await services.unpack(packed, deadline: deadline)
        }
        let order = BulkOrder(
            model: model.name,
            pictures: upload.files.map { .init(name: $0.name, bytes: $0.bytes) },
            options: options,
            webhook: parameters.webhook?.url,
            idempotencyKey: parameters.idempotencyKey,
            trace: context.trace
        )
        let (job, isNew) = try await store.accept(order)
        // Its share of the memory is held until the pictures are where they are kept.
        withExtendedLifetime(upload.memory) {}
        context.record.update {
            $0.pictures = isNew ? job.pictures : 0
            $0.order = isNew ? .accepted : .repeated
        }
        var response = Response(json: JobDocument(job, skipped: skipped), status: isNew ? .accepted : .ok)
        response.headers[.location] = "/v1/jobs/\(job.id)"
        return response
    }

    private func list(_ request: Request) async throws -> Response {
        let store = try services.jobStore
        let query = try JobQuery(request, known: ["limit", "before"])
        let limit = try query.number("limit", in: 1...1000, else: 100)
        // One more than asked for shows whether there are more.
        let jobs = try await store.jobs(before: query.text("before"), limit: limit + 1)
        let shown = jobs.prefix(limit)
        return Response(
            json: JobListDocument(
                jobs: shown.map { JobDocument($0) },
                next: jobs.count > limit ? shown.last?.id : nil
            )
        )
    }

    private func show(_ request: Request, _ context: ServerContext) async throws -> Response {
        let (store, id) = (try services.jobStore, try context.jobID)
        let query = try JobQuery(request, known: ["after", "limit"])
        let sequence = try query.number("after", in: 0...Int.max, else: 0)
        let limit = try query.number("limit", in: 0...10_000, else: 1000)
        let place = try services.resultPlaces.take()
        // The job before its results: one that was done then has no more of them than are read now.
        guard let job = try await store.job(id) else { throw BulkError.notFound(id: id) }
        let configuration = services.configuration
        return try await JobResultsAnswer(
            page: JobResultPage(store: store, job: job, channel: context.channel),
            place: place,
            deadline: .now + configuration.requestTimeout,
            patience: configuration.idleTimeout
        ).response(after: sequence, limit: limit)
    }
}

extension ServerContext {
    /// The job that the path names.
    fileprivate var jobID: String {
        get throws {
            let id = try parameters.require("job")
            // No job's id has other characters, and what a client invents is not repeated at length.
            guard id.utf8.count <= 100, id.utf8.allSatisfy({ $0.isWordCharacter }) else {
                throw BulkError.notFound(id: String(id.prefix(100)))
            }
            return id
        }
    }
}

extension UInt8 {
    /// A letter, a digit, `-` or `_` of ASCII.
    fileprivate var isWordCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
