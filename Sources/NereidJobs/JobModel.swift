// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidModels
public import NereidVision

/// The model of a job: one that is loaded in this process, or one that workers elsewhere have said they serve.
public enum JobModel: Sendable {
    /// Loaded here: a job holds on to the version that it was accepted for.
    case loaded(ServedModel)
    /// Served by workers of the same queue.
    case remote(RemoteModel)

    /// The name in requests.
    public var name: String {
        switch self {
        case .loaded(let model): model.name
        case .remote(let model): model.name
        }
    }

    /// How many jobs of one request keep it busy.
    public var window: Int {
        switch self {
        case .loaded(let model): model.vision.session.instances + 1
        case .remote(let model): model.workers.reduce(0) { $0 + $1.instances } + 1
        }
    }

    /// The numbers of the classes that a request names, as `Labels` reads them.
    ///
    /// - Throws: `VisionError.unknownClass`.
    public func classIDs(named texts: [String]) throws(VisionError) -> Set<Int> {
        switch self {
        case .loaded(let model): try model.vision.classIDs(named: texts)
        case .remote(let model): try model.labels.classIDs(named: texts, model: model.name)
        }
    }
}

/// A model as its workers describe it.
public struct RemoteModel: Sendable, Hashable {
    /// The name in requests.
    public var name: String
    /// Other names in requests.
    public var aliases: [String]
    /// What it does.
    public var task: VisionTask
    /// Its classes.
    public var labels: Labels
    /// Whether its pictures are decoded as they are stored, without being turned upright.
    public var ignoresOrientation: Bool
    /// Who serves it; while one version takes the place of another, workers of both.
    public var workers: [Server]
    /// What its input takes; `nil` when its workers do not say.
    public var input: Input?
    /// What holds where a request says nothing; `nil` when its workers do not say.
    public var defaults: PredictionDefaults?
    /// What its workers could not read of its file, in sentences.
    public var warnings: [String] = []

    /// What a model's input takes.
    public struct Input: Codable, Sendable, Hashable {
        /// The input's width in pixels.
        public var width: Int
        /// The input's height in pixels.
        public var height: Int
        /// How pictures are fitted into it, as in a model's settings.
        public var fit: String
    }

    /// A worker, as far as it concerns one model.
    public struct Server: Sendable, Hashable {
        /// Tells the worker from all others.
        public var worker: String
        /// The name of its machine.
        public var host: String
        /// The program and its version.
        public var software: String
        /// The name of the file that the model was loaded from.
        public var file: String
        /// The engine and its version.
        public var engine: String
        /// What it runs on, such as `cpu` or `cuda:0`.
        public var device: String
        /// How many runs go on at once.
        public var instances: Int
        /// Jobs that it has taken.
        public var running: Int
    }
}
