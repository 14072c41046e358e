// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NIOCore
public import NereidImaging
public import NereidModels
public import NereidVision

/// One picture, one model, one set of options, one answer.
public struct Job: Sendable {
    /// The id of the request that it belongs to, for logs and answers. A client may have chosen it, and chosen it twice.
    public let id: String
    /// The model that it was accepted for.
    public let model: JobModel
    /// The picture as it was uploaded.
    public let picture: ByteBuffer
    /// What the request asks of the prediction.
    public let options: PredictionOptions
    /// When nobody waits for the answer any more.
    public let deadline: ContinuousClock.Instant
    /// Whether the decoded picture is to be part of the answer, for drawing on it.
    public let keepsPicture: Bool
    /// Who waits for it.
    public let lane: Lane
    /// The trace that its request belongs to, if any.
    public let trace: TraceParent?

    /// Makes a job.
    public init(
        id: String,
        model: JobModel,
        picture: ByteBuffer,
        options: PredictionOptions = .init(),
        deadline: ContinuousClock.Instant,
        keepsPicture: Bool = false,
        lane: Lane = .interactive,
        trace: TraceParent? = nil
    ) {
        self.id = id
        self.model = model
        self.picture = picture
        self.options = options
        self.deadline = deadline
        self.keepsPicture = keepsPicture
        self.lane = lane
        self.trace = trace
    }

    /// Makes a job for a model that is loaded in this process.
    public init(
        id: String,
        model: ServedModel,
        picture: ByteBuffer,
        options: PredictionOptions = .init(),
        deadline: ContinuousClock.Instant,
        keepsPicture: Bool = false,
        lane: Lane = .interactive,
        trace: TraceParent? = nil
    ) {
        self.init(
            id: id,
            model: .loaded(model),
            picture: picture,
            options: options,
            deadline: deadline,
            keepsPicture: keepsPicture,
            lane: lane,
            trace: trace
        )
    }

    /// The bytes that the job holds while it waits.
    public var byteCount: Int { picture.readableBytes }
}

/// The answer to a job.
public struct JobAnswer: Sendable {
    /// What the model does.
    public let task: VisionTask
    /// The objects that the model saw.
    public let detections: [Detection]
    /// What the whole picture shows, from a model that classifies.
    public let classifications: [Classification]
    /// The size of the upright picture, in which the boxes count.
    public let size: PixelSize
    /// When the picture was taken, as its file says; nil when it does not.
    public internal(set) var taken: CaptureTime?
    /// The picture, if the job asked to keep it.
    public internal(set) var picture: Picture?
    /// Where the time went.
    public internal(set) var timing: JobTiming

    /// Whether writing it takes so long that it must not happen on a thread that others need.
    public var isLong: Bool { detections.count > 1000 || detections.contains { $0.mask != nil } }
}

/// The stages of a job.
public struct JobTiming: Sendable, Hashable {
    /// Waiting to be begun, and for a free instance of the session.
    public var queue: Duration
    /// Decoding the picture and fitting it into the model's input.
    public var decode: Duration
    /// The engine's own time.
    public var inference: Duration
    /// Reading the head, suppression, and the way back to the picture's own coordinates.
    public var postprocessing: Duration

    /// Makes a timing.
    public init(queue: Duration, decode: Duration, inference: Duration, postprocessing: Duration) {
        self.queue = queue
        self.decode = decode
        self.inference = inference
        self.postprocessing = postprocessing
    }
}
