// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidImaging
import NereidInference
import NereidJobs
import NereidModels
import NereidVision

/// A model in this process.
struct ModelTarget: LoadTarget {
    /// How much of the way is run.
    enum Stage: String, CaseIterable {
        /// The engine alone, again and again on the tensor of the first picture.
        case engine
        /// Decoding alone.
        case decode
        /// Letterbox, engine, head and suppression, on decoded pictures.
        case predict
        /// Decoding and prediction.
        case whole
        /// The same by a worker, as jobs are done.
        case worker
        /// The same by a worker behind the queue of this process, as requests are answered.
        case queue
    }

    private let served: ServedModel
    private var model: VisionModel { served.vision }
    private let worker: Worker
    private let queue: EmbeddedQueue
    private let stage: Stage
    private let bytes: [ByteBuffer]
    private let pictures: [Picture]
    private let tensor: Tensor
    private let imaging: ImagingPool

    init(_ served: ServedModel, stage: Stage, pictures bytes: [ByteBuffer], imaging: ImagingPool) async throws {
        self.served = served
        worker = Worker(imaging: imaging)
        queue = EmbeddedQueue(worker: worker)
        let model = served.vision
        self.stage = stage
        self.bytes = bytes
        self.imaging = imaging
        pictures = stage == .predict ? try await bytes.asyncMap { try await imaging.decode($0) } : []
        // The tensor that pictures of this kind become, so that engine and pipeline are asked for the same arithmetic.
        let sample = try await imaging.decode(bytes[0])
        tensor = try await imaging.run { try model.tensor(for: sample) }
    }

    func request(_ index: Int) async -> String {
        do {
            switch stage {
            case .engine:
                _ = try await model.session.run([tensor])
            case .predict:
                _ = try await model.predict([pictures[index % pictures.count]])
            case .decode:
                _ = try await imaging.decode(bytes[index % bytes.count])
            case .whole:
                let picture = try await imaging.decode(bytes[index % bytes.count])
                _ = try await model.predict([picture])
            case .worker:
                for answer in await worker.run([job(index)]) { _ = try answer.get() }
            case .queue:
                _ = try await queue.submit(job(index))
            }
            return "ok"
        } catch {
            return "\(error)"
        }
    }

    private func job(_ index: Int) -> Job {
        Job(id: "\(index)", model: served, picture: bytes[index % bytes.count], deadline: .now + .seconds(60))
    }
}

extension Array {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
