// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging
import NereidModels
public import NereidVision
import Synchronization

/// Takes jobs for one version of a model, runs them, and has an answer for each. It knows neither where jobs come from nor
/// where answers go.
public struct Worker: Sendable {
    let imaging: ImagingPool
    private let limits: DecodingLimits
    private let appliesOrientation: Bool
    private let maskPixels: Int

    /// Makes a worker.
    ///
    /// - Parameters:
    ///   - imaging: the threads that decode.
    ///   - limits: what a picture may cost.
    ///   - appliesOrientation: whether pictures are turned upright as their EXIF data says, unless their model's settings say
    ///     that it takes them as they are stored.
    ///   - maskPixels: the most pixels of the masks of one picture, counted by their boxes.
    public init(
        imaging: ImagingPool,
        limits: DecodingLimits = .init(),
        appliesOrientation: Bool = true,
        maskPixels: Int = VisionModel.defaultMaskPixels
    ) {
        self.imaging = imaging
        self.limits = limits
        self.appliesOrientation = appliesOrientation
        self.maskPixels = maskPixels
    }

    /// The answers to jobs for one version of a model, in their order. A picture that can't be decoded fails its own job only.
    ///
    /// Work ends at the latest of the jobs' deadlines, and when the task is cancelled. Jobs that keep their pictures are run one at
    /// a time: the kept ones may be what others wait for.
    public func run(_ jobs: [Job]) async -> [Result<JobAnswer, any Error>] {
        let answers = Mutex([Result<JobAnswer, any Error>?](repeating: nil, count: jobs.count))
        await run(jobs) { index, answer in answers.withLock { $0[index] = answer } }
        return answers.withLock { $0.map { $0 ?? .failure(CancellationError()) } }
    }

    /// Runs jobs for one version of a model, and hands over each answer with its job's index as soon as it is there.
    func run(_ jobs: [Job], _ answer: @escaping @Sendable (Int, Result<JobAnswer, any Error>) -> Void) async {
        guard let first = jobs.first, let latest = jobs.map(\.deadline).max() else { return }
        guard case .loaded(let model) = first.model else {
            for (index, job) in jobs.enumerated() {
                answer(index, .failure(JobError.notLoadedHere(model: job.model.name)))
            }
            return
        }
        let running = Task {
            await work(jobs, with: model) { index, result in
                // The alarm below cancels the work of jobs that are late.
                let isLate = jobs[index].deadline <= .now
                answer(
                    index,
                    result.mapError { error -> any Error in
                        isLate && error is CancellationError
                            ? JobError.deadlinePassed(model: model.name, hadBegun: true) : error
                    }
                )
            }
        }
        let alarm = Task {
            try await Task.sleep(until: latest, clock: .continuous)
            running.cancel()
        }
        await withTaskCancellationHandler {
            await running.value
        } onCancel: {
            running.cancel()
        }
        alarm.cancel()
    }

    /// Runs the jobs together, but for those whose pictures have to wait for memory: other pictures of the same run may be what
    /// they wait for, so that they are decoded when these are gone, one by one.
    private func work(
        _ jobs: [Job],
        with model: ServedModel,
        _ answer: (Int, Result<JobAnswer, any Error>) -> Void
    ) async {
        let indices = Array(jobs.indices)
        for index in await work(indices, of: jobs, with: model, waits: jobs.count == 1, answer) {
            _ = await work([index], of: jobs, with: model, waits: true, answer)
        }
    }

    /// - Returns: the indices of jobs that have to wait for memory.
    private func work(
        _ indices: [Int],
        of jobs: [Job],
        with model: ServedModel,
        waits: Bool,
        _ answer: (Int, Result<JobAnswer, any Error>) -> Void
    ) async -> [Int] {
        var postponed: [Int] = []
        var good: [(index: Int, decoded: Decoded)] = []
        for (index, result) in zip(indices, await decode(indices.map { jobs[$0] }, for: model, waits: waits)) {
            switch result {
            case .success(let decoded?): good.append((index, decoded))
            case .success(nil): postponed.append(index)
            case .failure(let error): answer(index, .failure(error))
            }
        }
        guard !good.isEmpty else { return postponed }
        do {
            let predictions = try await model.vision.answers(
                to: good.map { ($0.decoded.picture, jobs[$0.index].options) },
                maskPixels: maskPixels
            )
            for ((index, decoded), prediction) in zip(good, predictions) {
                answer(index, prediction.map { JobAnswer($0, jobs[index], decoded) })
            }
        } catch {
            for (index, _) in good { answer(index, .failure(error)) }
        }
        return postponed
    }

    /// A decoded picture and what it took.
    fileprivate struct Decoded: Sendable {
        let picture: Picture
        let duration: Duration
    }

    /// - Returns: `nil` for pictures that have to wait for memory.
    private func decode(
        _ jobs: [Job],
        for model: ServedModel,
        waits: Bool
    ) async -> [Result<Decoded?, any Error>] {
        if let job = jobs.first, jobs.count == 1 { return [await decode(job, for: model, waits: waits)] }
        return await withTaskGroup(of: (Int, Result<Decoded?, any Error>).self) { group in
            for (index, job) in jobs.enumerated() {
                group.addTask { (index, await decode(job, for: model, waits: waits)) }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func decode(_ job: Job, for model: ServedModel, waits: Bool) async -> Result<Decoded?, any Error> {
        #if DEBUG
        Failpoint.crash(on: job.picture)
        #endif
        do {
            let decoded = try await imaging.decode(
                timing: job.picture,
                limits: limits,
                appliesOrientation: appliesOrientation && !model.vision.ignoresOrientation,
                isDrawnOn: job.keepsPicture,
                waits: waits,
                for: job.share
            )
            return .success(decoded.map { Decoded(picture: $0.picture, duration: $0.duration) })
        } catch {
            return .failure(error)
        }
    }
}

extension Job {
    /// Decoding takes turns between models, and between those who wait and bulk jobs.
    fileprivate var share: String { lane == .bulk ? "\(model.name) (bulk)" : model.name }
}

extension JobAnswer {
    fileprivate init(_ prediction: Prediction, _ job: Job, _ decoded: Worker.Decoded) {
        self.init(
            task: prediction.task,
            detections: prediction.detections,
            classifications: prediction.classifications,
            size: prediction.picture,
            taken: decoded.picture.taken,
            picture: job.keepsPicture ? decoded.picture : nil,
            timing: JobTiming(
                queue: prediction.timing.waited,
                decode: decoded.duration + prediction.timing.letterbox,
                inference: prediction.timing.inference,
                postprocessing: prediction.timing.postprocessing
            )
        )
    }

    /// The same answer without its picture, whose memory is needed for others.
    public func withoutPicture() -> JobAnswer {
        var answer = self
        answer.picture = nil
        return answer
    }

    /// The same answer after a time in the queue.
    func waited(_ duration: Duration) -> JobAnswer {
        var answer = self
        answer.timing.queue += duration
        return answer
    }
}
