// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A job that outlives its request, and its results where they were asked for.
struct JobDocument: Decodable, Sendable {
    struct Pictures: Decodable, Equatable, Sendable {
        let total: Int
        let done: Int
        let failed: Int
    }

    struct Result: Decodable, Sendable {
        let sequence: Int
        let picture: Int
        let file: String?
        let detections: [Detection]?
        let error: Problem?
    }

    let id: String
    let model: String
    let state: String
    let pictures: Pictures
    let results: [Result]?
    let next: Int?
}

extension RunningServer {
    /// Gives pictures to a model without waiting for the answers.
    func order(_ blocks: [Block], of model: String, key: String? = nil) async throws -> Answer {
        let form = try blocks.map { FormPart.file(try .blocks($0), filename: "\($0.column)-\($0.row).png") }
        return try await post("/v1/models/\(model)/jobs", form: form)
    }

    /// A job with all its results so far.
    func job(_ id: String) async throws -> JobDocument {
        try await get("/v1/jobs/\(id)").json(JobDocument.self)
    }

    /// A job with its results once it is done.
    func finishedJob(_ id: String, within limit: Duration = .seconds(60)) async throws -> JobDocument {
        try await eventually("job \(id) to be done", within: limit) {
            // The queue may be away for a moment.
            guard let job = try? await job(id) else { return nil }
            return job.state == "done" ? job : nil
        }
    }
}
