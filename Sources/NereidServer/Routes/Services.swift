// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird
import NIOCore
import NereidImaging
import NereidJobs
import NereidVision

/// What the routes work with.
struct Services: Sendable {
    let configuration: ServerConfiguration
    let models: any ModelDirectory
    let queue: any JobQueue
    /// Where jobs that outlive their request are kept; `nil`: nowhere, for the reason beside it.
    let jobs: (any BulkJobStore)?
    let withoutJobsReason: String
    let imaging: ImagingPool
    let metrics: ServerMetrics
    let uploads: UploadMemory
    let readiness: Readiness
    /// Answers with results of jobs that are made at one time.
    let resultPlaces = AnswerPlaces(32)
    /// Streams of events that read results at one time; others wait for their turn.
    let eventReading = SendingPlaces(16)

    var uploadLimits: UploadLimits {
        UploadLimits(requestBytes: configuration.maxRequestBytes, pictureBytes: configuration.pictures.encodedBytes)
    }

    /// Where jobs that outlive their request are kept.
    ///
    /// - Throws: ``Problem`` where they are not; without a time to try again, since that won't change.
    var jobStore: any BulkJobStore {
        get throws(Problem) {
            if let jobs { return jobs }
            throw Problem(
                status: .serviceUnavailable,
                code: .jobsUnavailable,
                detail: BulkError.unavailable(reason: withoutJobsReason).description
            )
        }
    }

    /// The model for a request that names one, or that names none.
    func model(named name: String?) throws -> JobModel {
        guard let name = name ?? configuration.defaultModel else { return try models.firstModel() }
        return try models.model(named: name)
    }

    /// Reads an upload, within the request's time.
    ///
    /// - Parameter takesArchives: whether it may hold many pictures, and zips of them.
    func upload(
        of request: Request,
        deadline: ContinuousClock.Instant,
        takesArchives: Bool = false
    ) async throws -> Upload {
        let (memory, timeout) = (uploads, configuration.requestTimeout)
        var limits = uploadLimits
        if takesArchives {
            limits.archiveBytes = limits.requestBytes
            limits.multipart.parts = archiveLimits.pictures + limits.multipart.parts
        }
        return try await withThrowingTaskGroup(of: Upload?.self) { group in
            group.addTask { [limits] in try await Upload(reading: request, limits: limits, memory: memory) }
            group.addTask {
                try await Task.sleep(until: deadline, clock: .continuous)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let upload = first else {
                throw UploadError.tooSlow(limit: timeout)
            }
            return upload
        }
    }

    /// What a prediction needs to know of its request.
    struct Prediction: Sendable {
        let id: String
        let model: JobModel
        let options: PredictionOptions
        let deadline: ContinuousClock.Instant
        var keepsPictures = false
    }

    /// The answers to an upload's pictures, in their order, while the client is there to read them.
    ///
    /// A few are in the queue at a time, enough to keep the model busy, so that one request with many pictures neither fills
    /// the queue nor waits for itself. A picture that can't be decoded fails alone.
    func predict(
        _ upload: Upload,
        _ prediction: Prediction,
        context: ServerContext
    ) async throws -> [Result<JobAnswer, any Error>] {
        guard !upload.files.isEmpty else { throw UploadError.noFile }
        context.record.update {
            $0.model = prediction.model.name
            $0.pictures = upload.files.count
        }
        let (queue, files, trace) = (queue, upload.files, context.trace)
        let answers = try await context.channel.untilClientLeaves {
            try await files.concurrentMap(atMost: prediction.model.window) { file -> Result<JobAnswer, any Error> in
                // No worker needs to be asked about nothing.
                guard file.bytes.readableBytes > 0 else { return .failure(ImagingError.emptyFile) }
                let job = Job(
                    id: prediction.id,
                    model: prediction.model,
                    picture: file.bytes,
                    options: prediction.options,
                    deadline: prediction.deadline,
                    keepsPicture: prediction.keepsPictures,
                    trace: trace
                )
                do {
                    return .success(try await queue.submit(job))
                } catch let error as ImagingError {
                    return .failure(error)
                } catch let error as VisionError where error.isOfOnePicture {
                    return .failure(error)
                }
            }
        }
        context.record.update { record in
            for case .success(let answer) in answers {
                record.timings.append(answer.timing)
                record.detections += answer.detections.count
            }
        }
        return answers
    }

    /// Draws, or writes an answer, on the threads of imaging, until the request's deadline and while the client is there.
    ///
    /// - Throws: `JobError.deadlinePassed`; `CancellationError` when the client leaves; what the work throws.
    func render<Value: Sendable>(
        for model: String,
        by deadline: ContinuousClock.Instant,
        _ context: ServerContext,
        _ work: @escaping @Sendable (WorkLimit) throws -> Value
    ) async throws -> Value {
        do {
            return try await context.channel.untilClientLeaves { [imaging] in
                try await imaging.run(for: model, by: deadline, work)
            }
        } catch ImagingError.deadlinePassed {
            throw JobError.deadlinePassed(model: model, hadBegun: true)
        }
    }
}

extension VisionError {
    /// Whether other pictures of the same request have answers all the same.
    fileprivate var isOfOnePicture: Bool {
        if case .masksTooLarge = self { true } else { false }
    }
}
