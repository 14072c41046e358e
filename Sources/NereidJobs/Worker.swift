// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging
import NereidModels
import NereidVision

/// Takes jobs for one version of a model, runs them, and has an answer for each. It knows neither where jobs come from nor
/// where answers go.
public struct Worker: Sendable {
    private let imaging: ImagingPool
    private let limits: DecodingLimits
    private let appliesOrientation: Bool

    /// Makes a worker.
    ///
    /// - Parameters:
    ///   - imaging: the threads that decode.
    ///   - limits: what a picture may cost.
    ///   - appliesOrientation: whether pictures are turned upright as their EXIF data says, unless their model's settings say
    ///     that it takes them as they are stored.
    public init(imaging: ImagingPool, limits: DecodingLimits = .init(), appliesOrientation: Bool = true) {
        self.imaging = imaging
        self.limits = limits
        self.appliesOrientation = appliesOrientation
    }

    /// The answers to jobs for one version of a model, in their order. A picture that can't be decoded fails its own job only.
    public func run(_ jobs: [Job]) async -> [Result<JobAnswer, any Error>] {
        guard let first = jobs.first else { return [] }
        guard case .loaded(let model) = first.model else {
            return jobs.map { .failure(JobError.notLoadedHere(model: $0.model.name)) }
        }
        let decoded = await decode(jobs, for: model)
        let good = jobs.indices.filter { (try? decoded[$0].get()) != nil }
        guard !good.isEmpty else {
            return decoded.map { $0.flatMap { _ in .failure(CancellationError()) } }
        }
        var predictions: [Int: Prediction] = [:]
        do {
            let requests = try good.map { (picture: try decoded[$0].get().picture, options: jobs[$0].options) }
            for (index, prediction) in zip(good, try await model.vision.predict(requests)) {
                predictions[index] = prediction
            }
        } catch {
            return decoded.map { $0.flatMap { _ in .failure(error) } }
        }
        return jobs.indices.map { index in
            decoded[index].flatMap { decoded in
                predictions[index].map { .success(JobAnswer($0, jobs[index], decoded)) }
                    ?? .failure(CancellationError())
            }
        }
    }

    /// A decoded picture and what it took.
    fileprivate struct Decoded: Sendable {
        let picture: Picture
        let duration: Duration
    }

    private func decode(_ jobs: [Job], for model: ServedModel) async -> [Result<Decoded, any Error>] {
        if let job = jobs.first, jobs.count == 1 { return [await decode(job, for: model)] }
        return await withTaskGroup(of: (Int, Result<Decoded, any Error>).self) { group in
            for (index, job) in jobs.enumerated() { group.addTask { (index, await decode(job, for: model)) } }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func decode(_ job: Job, for model: ServedModel) async -> Result<Decoded, any Error> {
        let (bytes, limits) = (job.picture, limits)
        #if DEBUG
        Failpoint.crash(on: bytes)
        #endif
        let appliesOrientation = appliesOrientation && !model.vision.ignoresOrientation
        do {
            return .success(
                try await imaging.run {
                    let clock = ContinuousClock()
                    let begun = clock.now
                    let picture = try Picture(decoding: bytes, limits: limits, appliesOrientation: appliesOrientation)
                    return Decoded(picture: picture, duration: clock.now - begun)
                }
            )
        } catch {
            return .failure(error)
        }
    }
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

    /// The same answer after a time in the queue.
    func waited(_ duration: Duration) -> JobAnswer {
        var answer = self
        answer.timing.queue += duration
        return answer
    }
}
