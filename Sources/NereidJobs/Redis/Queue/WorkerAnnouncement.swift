// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Crypto
import Foundation
import NIOCore
import NIOFoundationCompat
public import NereidModels
import NereidVision

/// What a worker says of itself, again and again, as JSON; docs/queue.md describes it.
///
/// Its models, with their labels, stand in it, or under a key of their own that is named by what they are.
struct WorkerAnnouncement: Codable, Sendable, Hashable {
    /// Tells this worker from all others, for ever.
    var worker: String
    var host: String
    var software: String
    var models: [Model]?
    /// The digest of the models, when they stand elsewhere.
    var description: String?
    /// Jobs that it has, by model, when the models stand elsewhere.
    var running: [String: Int]?

    struct Model: Codable, Sendable, Hashable {
        var name: String
        var aliases: [String]?
        var task: String
        var labels: [String]
        var file: String?
        var engine: String?
        var device: String?
        var instances: Int?
        var running: Int?
        var ignoresOrientation: Bool?
        var input: RemoteModel.Input?
        var defaults: Defaults?
        /// What could not be read of the file; missing when all is well.
        var warnings: [String]?

        private enum CodingKeys: String, CodingKey {
            case name, aliases, task, labels, file, engine, device, instances, running, input, defaults, warnings
            case ignoresOrientation = "ignores_orientation"
        }
    }

    /// What holds where a request says nothing; what is missing is as everywhere.
    struct Defaults: Codable, Sendable, Hashable {
        var confidence: Float?
        var iou: Float?
        var maxDetections: Int?
        var classAgnostic: Bool?
        var topClasses: Int?

        private enum CodingKeys: String, CodingKey {
            case confidence, iou
            case maxDetections = "max_detections"
            case classAgnostic = "class_agnostic"
            case topClasses = "top_k"
        }

        init(_ defaults: PredictionDefaults) {
            confidence = defaults.confidence
            iou = defaults.iou
            maxDetections = defaults.maxDetections
            classAgnostic = defaults.classAgnostic
            topClasses = defaults.topClasses
        }

        var values: PredictionDefaults {
            var values = PredictionDefaults()
            values.confidence = confidence ?? values.confidence
            values.iou = iou ?? values.iou
            values.maxDetections = maxDetections ?? values.maxDetections
            values.classAgnostic = classAgnostic ?? values.classAgnostic
            values.topClasses = topClasses ?? values.topClasses
            return values
        }
    }

    func json() throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return ByteBuffer(data: try encoder.encode(self))
    }

    init(worker: String, host: String, software: String, models: [Model]) {
        (self.worker, self.host, self.software, self.models) = (worker, host, software, models)
    }

    init(worker: String, host: String, software: String, description: String, running: [String: Int]) {
        (self.worker, self.host, self.software) = (worker, host, software)
        (self.description, self.running) = (description, running)
    }

    init(json: ByteBuffer) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(buffer: json))
    }

    /// The same with its models, if they are known.
    func completed(from descriptions: [String: [Model]]) -> WorkerAnnouncement {
        guard models == nil, let description, let models = descriptions[description] else { return self }
        var completed = self
        completed.models = models.map { model in
            var model = model
            model.running = running?[model.name]
            return model
        }
        return completed
    }
}

/// What a worker says of its models, with a name that tells what it says.
struct WorkerDescription: Sendable, Hashable {
    let models: [WorkerAnnouncement.Model]
    let json: ByteBuffer
    let digest: String

    init(_ models: [WorkerAnnouncement.Model]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let data = try encoder.encode(models)
        self.models = models
        json = ByteBuffer(data: data)
        digest = SHA256.hash(data: data).prefix(16).hexadecimal
    }
}

extension WorkerAnnouncement.Model {
    init(_ model: ServedModel) {
        let vision = model.vision
        self.init(
            name: model.name,
            aliases: model.aliases,
            task: vision.task.rawValue,
            labels: vision.labels.names,
            file: model.path.split(separator: "/").last.map(String.init),
            engine: vision.session.engineName,
            device: vision.session.device.description,
            instances: vision.session.instances,
            ignoresOrientation: vision.ignoresOrientation,
            input: .init(
                width: vision.input.size.width,
                height: vision.input.size.height,
                fit: vision.input.fit.rawValue
            ),
            defaults: .init(vision.defaults),
            warnings: vision.warnings.isEmpty ? nil : vision.warnings
        )
    }
}

/// The models that the workers of a queue serve at one moment. A value: readers keep theirs while the next one is made.
public struct RemoteCatalogue: Sendable, Hashable {
    /// Every model that a worker serves, by its name.
    public let models: [RemoteModel]
    /// Models whose last worker has gone a little while ago, by name, with no workers. They are not to be listed, but jobs for
    /// them may wait for the next worker: it is often on its way.
    public let recent: [RemoteModel]

    /// No models.
    public static let empty = RemoteCatalogue([])

    /// Of workers that do not agree on a model, the one whose name comes first is believed: all gateways show the same.
    init(_ announcements: [WorkerAnnouncement], recent: [RemoteModel] = []) {
        var models: [String: RemoteModel] = [:]
        for announcement in announcements.sorted(by: { $0.worker < $1.worker }) {
            for model in announcement.models ?? [] {
                guard let task = VisionTask(rawValue: model.task), !model.name.isEmpty else { continue }
                let server = RemoteModel.Server(
                    worker: announcement.worker,
                    host: announcement.host,
                    software: announcement.software,
                    file: model.file ?? "",
                    engine: model.engine ?? "",
                    device: model.device ?? "",
                    instances: min(max(1, model.instances ?? 1), AnnouncementBounds.instances),
                    running: min(max(0, model.running ?? 0), AnnouncementBounds.running)
                )
                models[
                    model.name,
                    default: RemoteModel(
                        name: model.name,
                        aliases: model.aliases ?? [],
                        task: task,
                        labels: Labels(model.labels),
                        ignoresOrientation: model.ignoresOrientation ?? false,
                        workers: [],
                        input: model.input,
                        defaults: model.defaults?.values,
                        warnings: model.warnings ?? []
                    )
                ].workers.append(server)
            }
        }
        self.models = models.values.sorted { $0.name < $1.name }
        self.recent = recent.filter { models[$0.name] == nil }.sorted { $0.name < $1.name }.map { model in
            var model = model
            model.workers = []
            return model
        }
    }

    /// The model of this name or alias. Names come before aliases, models with workers before those without.
    ///
    /// - Throws: `ModelsError.notFound`, naming what is served.
    public func model(named name: String) throws(ModelsError) -> RemoteModel {
        let all = models + recent
        guard let model = all.first(where: { $0.name == name }) ?? all.first(where: { $0.aliases.contains(name) })
        else { throw .notFound(name: name, served: models.map(\.name)) }
        return model
    }
}
