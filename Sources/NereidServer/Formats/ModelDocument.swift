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
    let defaults: Defaults?
    let queue: Queue

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
    }

    struct Queue: Encodable {
        let depth: Int
        let running: Int
        let limit: Int
    }

    init(_ status: ModelStatus, load: QueueLoad, limits: QueueLimits) {
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
        defaults = vision.map {
            Defaults(
                confidence: $0.defaults.confidence,
                iou: $0.defaults.iou,
                maxDetections: $0.defaults.maxDetections,
                classAgnostic: $0.defaults.classAgnostic,
                topK: $0.defaults.topClasses
            )
        }
        queue = Queue(depth: load.waiting, running: load.running, limit: limits.jobs)
    }
}

/// The list at `/v1/models`.
struct ModelListDocument: Encodable {
    let models: [ModelDocument]
}
