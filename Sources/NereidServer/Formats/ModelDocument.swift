// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs
import NereidModels
import NereidVision

/// A model as `/v1/models` shows it.
struct ModelDocument: Encodable {
    let name: String
    let aliases: [String]
    let task: String?
    let classes: [String]?
    let input: Input?
    let head: Head?
    let engine: String?
    let device: String?
    let instances: Int?
    let threads: Int?
    let state: String
    let reason: String?
    /// What could not be read of its file; missing when all is well.
    let warnings: [String]?
    let defaults: Defaults?
    let queue: Queue
    /// Who serves it, where that is not this process.
    let workers: [Server]?

    struct Server: Encodable {
        let name: String
        let host: String
        let software: String
        let file: String
        let engine: String
        let device: String
        let instances: Int
        let running: Int
    }

    struct Input: Encodable {
        let width: Int
        let height: Int
        let fit: String
    }

    struct Head: Encodable {
        let kind: String
        let because: String
    }

    struct Defaults: Encodable {
        let confidence: Float
        let iou: Float
        let maxDetections: Int
        let classAgnostic: Bool
        let topK: Int

        enum CodingKeys: String, CodingKey {
            case confidence, iou
            case topK = "top_k"
            case maxDetections = "max_detections"
            case classAgnostic = "class_agnostic"
        }

        init(_ defaults: PredictionDefaults) {
            confidence = defaults.confidence
            iou = defaults.iou
            maxDetections = defaults.maxDetections
            classAgnostic = defaults.classAgnostic
            topK = defaults.topClasses
        }
    }

    struct Queue: Encodable {
        let depth: Int
        let running: Int
        let limit: Int
    }

    init(_ entry: ModelEntry, load: QueueLoad, limits: QueueLimits) {
        let queue = Queue(depth: load.waiting, running: load.running, limit: limits.jobs)
        switch entry {
        case .local(let status): self.init(status, queue: queue)
        case .remote(let model): self.init(model, queue: queue)
        }
    }

    private init(_ model: RemoteModel, queue: Queue) {
        // Where its workers differ each is named.
        func all(_ words: [String]) -> String? {
            let words = Set(words).subtracting([""]).sorted()
            return words.isEmpty ? nil : words.joined(separator: ", ")
        }
        name = model.name
        aliases = model.aliases
        task = model.task.rawValue
        classes = model.labels.names
        input = model.input.map { Input(width: $0.width, height: $0.height, fit: $0.fit) }
        head = nil
        engine = all(model.workers.map(\.engine))
        device = all(model.workers.map(\.device))
        instances = model.workers.reduce(0) { $0 + $1.instances }
        threads = nil
        state = ModelStatus.State.ready.rawValue
        reason = nil
        warnings = model.warnings.isEmpty ? nil : model.warnings
        defaults = model.defaults.map(Defaults.init)
        self.queue = queue
        workers = model.workers.map { worker in
            Server(
                name: worker.worker,
                host: worker.host,
                software: worker.software,
                file: worker.file,
                engine: worker.engine,
                device: worker.device,
                instances: worker.instances,
                running: worker.running
            )
        }
    }

    private init(_ status: ModelStatus, queue: Queue) {
        let vision = status.model?.vision
        name = status.name
        aliases = status.model?.aliases ?? []
        task = vision?.task.rawValue
        classes = vision?.labels.names
        input = vision.map {
            Input(width: $0.input.size.width, height: $0.input.size.height, fit: $0.input.fit.rawValue)
        }
        head = vision.map { Head(kind: $0.headKind.rawValue, because: $0.headReason) }
        engine = vision?.session.engineName
        device = vision?.session.device.description
        instances = vision?.session.instances
        threads = vision?.session.threads
        state = status.state.rawValue
        reason = status.failure
        warnings = (vision?.warnings).flatMap { $0.isEmpty ? nil : $0 }
        defaults = (vision?.defaults).map(Defaults.init)
        self.queue = queue
        workers = nil
    }
}

/// The list at `/v1/models`.
struct ModelListDocument: Encodable {
    let models: [ModelDocument]
}
