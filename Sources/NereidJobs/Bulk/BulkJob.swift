// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import Foundation
public import NIOCore

/// A job that outlives the request that brought it: pictures for one model, answered one by one, kept for a while. The HTTP
/// interface calls it a job; each of its pictures is a ``Job`` of the lane ``Lane/bulk`` when its turn comes.
public struct BulkJob: Sendable, Hashable {
    /// Tells it from all others; nobody can guess it.
    public var id: String
    /// The model's name.
    public var model: String
    /// When it was accepted.
    public var created: Date
    /// When its last picture was answered, or the rest was cancelled; `nil` until then.
    public var finished: Date?
    /// When it is forgotten, with its results; `nil` until it is finished.
    public var expires: Date?
    /// How many pictures it has.
    public var pictures: Int
    /// How many have been answered, with detections or with an error.
    public var done: Int
    /// How many of these were answered with an error.
    public var failed: Int
    /// What became of telling its webhook; `nil` when it has none.
    public var webhook: Webhook?

    /// What became of telling a webhook.
    public enum Webhook: Sendable, Hashable {
        /// The job is not finished, or the next attempt is to come.
        case waiting
        /// The webhook has answered with a status of success.
        case delivered
        /// It has not, however often it was tried.
        case givenUp(reason: String)
    }

    /// How far it is.
    public enum State: String, Sendable {
        /// No picture has been answered.
        case waiting
        /// Some have.
        case running
        /// All have.
        case done
    }

    /// How far it is.
    public var state: State { finished != nil ? .done : done > 0 ? .running : .waiting }

    /// Makes a record of a job.
    public init(
        id: String,
        model: String,
        created: Date,
        finished: Date? = nil,
        expires: Date? = nil,
        pictures: Int,
        done: Int = 0,
        failed: Int = 0,
        webhook: Webhook? = nil
    ) {
        self.id = id
        self.model = model
        self.created = created
        self.finished = finished
        self.expires = expires
        self.pictures = pictures
        self.done = done
        self.failed = failed
        self.webhook = webhook
    }
}

/// The answer to one picture of a bulk job.
public struct BulkResult: Sendable {
    /// Its place in the order in which pictures were answered, from 1: what a reader has seen up to.
    public var sequence: Int
    /// The picture's place in the order, from 0.
    public var picture: Int
    /// The picture's name, if the client told.
    public var name: String?
    /// What was seen, or why there is no answer.
    public var content: Content

    /// What was seen, or why there is no answer.
    public enum Content: Sendable {
        /// As values.
        case outcome(Result<JobAnswer, any Error>)
        /// As the whole JSON object that a ``BulkDocumentWriter`` has made of it, which is sent as it is.
        case document(ByteBuffer)
    }

    /// What was seen, or why there is no answer; an error where a store keeps only the document.
    public var outcome: Result<JobAnswer, any Error> {
        switch content {
        case .outcome(let outcome): outcome
        case .document: .failure(BulkError.unavailable(reason: "this answer is kept as the document that is sent"))
        }
    }

    /// Makes a result.
    public init(sequence: Int, picture: Int, name: String?, outcome: Result<JobAnswer, any Error>) {
        self.init(sequence: sequence, picture: picture, name: name, content: .outcome(outcome))
    }

    /// Makes a result.
    public init(sequence: Int, picture: Int, name: String?, content: Content) {
        self.sequence = sequence
        self.picture = picture
        self.name = name
        self.content = content
    }
}

/// Makes the JSON object of a result, of the job with an id and of a model, once when it is stored.
///
/// A store replaces the number of the member `sequence`, which is the last of that name in the object, by the result's own.
public typealias BulkDocumentWriter = @Sendable (_ result: BulkResult, _ job: String, _ model: String) -> ByteBuffer

/// A finished job whose webhook is to be told.
public struct BulkNotice: Sendable, Hashable {
    /// The job as it stands.
    public var job: BulkJob
    /// Where to.
    public var url: String
    /// The attempts made before this one.
    public var attempts: Int
    /// The trace that the order's request belongs to, if any.
    public var trace: TraceParent?

    /// Makes a notice.
    public init(job: BulkJob, url: String, attempts: Int, trace: TraceParent? = nil) {
        self.job = job
        self.url = url
        self.attempts = attempts
        self.trace = trace
    }
}
