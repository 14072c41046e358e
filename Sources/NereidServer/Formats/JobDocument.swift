// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NIOCore
public import NereidJobs

/// The native JSON of a bulk job, which the interface calls a job.
struct JobDocument: Encodable {
    private let start: Start
    private let end: End

    /// The keys that come before `results` in alphabetical order.
    private struct Start: Encodable {
        let id: String
        let model: String
        let created: String
        let finished: String?
        let expires: String?
        let pictures: Pictures
        var next: Int?
    }

    /// Those that come after.
    private struct End: Encodable {
        let state: String
        let webhook: Webhook?
        let skipped: Int?
    }

    private struct Pictures: Encodable {
        let total: Int
        let done: Int
        let failed: Int
    }

    private struct Webhook: Encodable {
        let state: String
        let reason: String?

        init(_ webhook: BulkJob.Webhook) {
            switch webhook {
            case .waiting: (state, reason) = ("waiting", nil)
            case .delivered: (state, reason) = ("delivered", nil)
            case .givenUp(let why): (state, reason) = ("given_up", why)
            }
        }
    }

    /// Puts a job in its words.
    ///
    /// - Parameter skipped: files of its zips that were left out, which is told where it is accepted.
    init(_ job: BulkJob, skipped: Int = 0) {
        start = Start(
            id: job.id,
            model: job.model,
            created: job.created.timestamp,
            finished: job.finished?.timestamp,
            expires: job.expires?.timestamp,
            pictures: Pictures(total: job.pictures, done: job.done, failed: job.failed)
        )
        end = End(
            state: job.state.rawValue,
            webhook: job.webhook.map(Webhook.init),
            skipped: skipped > 0 ? skipped : nil
        )
    }

    func encode(to encoder: any Encoder) throws {
        try start.encode(to: encoder)
        try end.encode(to: encoder)
    }

    /// The document with some of the job's results, each encoded already.
    ///
    /// - Parameter next: the last result's number: where the next call goes on.
    func with(results: [ByteBuffer], next: Int) -> ByteBuffer {
        var start = start
        start.next = next
        var text = ByteBuffer(json: start)
        text.moveWriterIndex(to: text.writerIndex - 1)
        text.writeStaticString(",\"results\":[")
        for (index, result) in results.enumerated() {
            if index > 0 { text.writeStaticString(",") }
            text.writeImmutableBuffer(result)
        }
        text.writeStaticString("],")
        var rest = ByteBuffer(json: end)
        rest.moveReaderIndex(forwardBy: 1)
        text.writeBuffer(&rest)
        return text
    }
}

extension JobDocument {
    /// The document as far as its first result, for one that is sent as it is read.
    var beginning: ByteBuffer {
        var text = ByteBuffer(json: start)
        text.moveWriterIndex(to: text.writerIndex - 1)
        text.writeStaticString(",\"results\":[")
        return text
    }

    /// What follows the last result.
    ///
    /// - Parameter next: the last result's number: where the next call goes on.
    func ending(next: Int) -> ByteBuffer {
        var text = ByteBuffer(string: "],\"next\":\(next),")
        var rest = ByteBuffer(json: end)
        rest.moveReaderIndex(forwardBy: 1)
        text.writeBuffer(&rest)
        return text
    }
}

/// The native JSON of several jobs, the newest first.
struct JobListDocument: Encodable {
    let jobs: [JobDocument]
    /// The last one's id, where older ones follow.
    let next: String?
}

/// The native JSON of one picture of a job: as one of several pictures, with its number and its place.
public struct JobResultDocument: Encodable {
    private let sequence: Int
    private let picture: Int
    private let result: PictureResultDocument

    private enum CodingKeys: CodingKey {
        case sequence, picture
    }

    private init(_ result: BulkResult, id: String, model: String, outcome: Result<JobAnswer, any Error>) {
        sequence = result.sequence
        picture = result.picture
        switch outcome {
        case .success(let answer):
            self.result = PictureResultDocument(
                file: result.name,
                answer: PredictionDocument(id: id, model: model, answer: answer)
            )
        case .failure(let error):
            self.result = PictureResultDocument(file: result.name, error: error)
        }
    }

    /// The JSON of a result, of the job with an id and of a model: as it stands when it was kept as that.
    public static func json(of result: BulkResult, job id: String, model: String) -> ByteBuffer {
        switch result.content {
        case .document(let json): json
        case .outcome(let outcome):
            ByteBuffer(json: JobResultDocument(result, id: id, model: model, outcome: outcome))
        }
    }

    static func json(of result: BulkResult, _ job: BulkJob) -> ByteBuffer {
        json(of: result, job: job.id, model: job.model)
    }

    /// The keys of a picture's result, and its place.
    public func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(sequence, forKey: .sequence)
        try container.encode(picture, forKey: .picture)
    }
}
