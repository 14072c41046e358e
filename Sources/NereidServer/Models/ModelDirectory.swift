// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidJobs
public import NereidModels

/// The models that requests may name, wherever they are loaded: in this process, or with workers elsewhere.
public protocol ModelDirectory: Sendable {
    /// Every model, in the order in which they are listed.
    var entries: [ModelEntry] { get }

    /// The model of this name or alias.
    ///
    /// - Throws: `ModelsError`, where the name is unknown naming those that are served.
    func model(named name: String) throws -> JobModel

    /// What stands against sending requests here whatever model they name, each in words; empty when nothing does.
    var obstacles: [String] { get }

    /// The models that the operator named one by one: without them the process is not ready.
    var named: [NamedModel] { get }

    /// Files that are not served since another model has their name.
    var leftOut: [LeftOutFile] { get }

    /// What to say when no model answers.
    var absence: String { get }

    /// What to say when a model that must answer is not known here.
    func absence(of name: String) -> String
}

extension ModelDirectory {
    /// None: only files are named one by one.
    public var named: [NamedModel] { [] }

    /// None.
    public var leftOut: [LeftOutFile] { [] }

    /// That no model answers.
    public var absence: String { "no model answers requests" }

    /// That nothing here serves it.
    public func absence(of name: String) -> String { absence }
}

/// A model as it stands at one moment.
public enum ModelEntry: Sendable {
    /// Loaded in this process, or to be loaded.
    case local(ModelStatus)
    /// Served by workers of the queue.
    case remote(RemoteModel)

    /// The name in requests.
    public var name: String {
        switch self {
        case .local(let status): status.name
        case .remote(let model): model.name
        }
    }

    /// Other names in requests.
    public var aliases: [String] {
        switch self {
        case .local(let status): status.model?.aliases ?? []
        case .remote(let model): model.aliases
        }
    }

    /// Whether it answers requests.
    var isReady: Bool {
        switch self {
        case .local(let status): status.model != nil
        case .remote: true
        }
    }
}

extension ModelDirectory {
    /// The entry of this name or alias. Names come before aliases.
    ///
    /// - Throws: `ModelsError.notFound`, naming what is served.
    func entry(named name: String) throws(ModelsError) -> ModelEntry {
        let entries = entries
        guard
            let entry = entries.first(where: { $0.name == name }) ?? entries.first(where: { $0.aliases.contains(name) })
        else { throw .notFound(name: name, served: entries.filter(\.isReady).map(\.name)) }
        return entry
    }

    /// What a request gets that names no model: the first that answers.
    ///
    /// - Throws: `ModelsError`.
    func firstModel() throws -> JobModel {
        let entries = entries
        guard let entry = entries.first(where: \.isReady) ?? entries.first else {
            throw ModelsError.notFound(name: "", served: [])
        }
        return try model(named: entry.name)
    }
}

extension ModelRepository: ModelDirectory {
    /// The models of this process.
    public nonisolated var entries: [ModelEntry] { catalogue.statuses.map(ModelEntry.local) }

    /// The version that answers for this name or alias.
    public nonisolated func model(named name: String) throws -> JobModel {
        .loaded(try catalogue.model(named: name))
    }

    /// That models are being loaded for the first time.
    public nonisolated var obstacles: [String] { catalogue.isComplete ? [] : ["models are being loaded"] }

    /// The models that are no finds in a watched folder.
    public nonisolated var named: [NamedModel] { catalogue.named }

    /// Files whose name another one has.
    public nonisolated var leftOut: [LeftOutFile] { catalogue.leftOut }

    /// That there are no files, or none that can be served.
    public nonisolated var absence: String {
        let statuses = catalogue.statuses
        guard !statuses.isEmpty else { return "there is no model in the watched folders; put one there" }
        return "no model answers requests: "
            + statuses.map { "‘\($0.name)’ \($0.failure ?? "is being loaded")" }.joined(separator: "; ")
    }

    /// That no file has this name.
    public nonisolated func absence(of name: String) -> String {
        "no file of this process has that name; put it into a watched folder, or name its path"
    }
}

extension RedisQueue: ModelDirectory {
    /// The models of the workers that are there.
    public var entries: [ModelEntry] { catalogue.models.map(ModelEntry.remote) }

    /// The model of this name or alias as its workers describe it.
    public func model(named name: String) throws -> JobModel {
        let catalogue = catalogue
        // Of a queue that was never seen nobody can say what it serves.
        if catalogue == .empty, let obstacle { throw JobError.queueUnreachable(reason: obstacle) }
        return .remote(try catalogue.model(named: name))
    }

    /// A queue that can't be reached.
    public var obstacles: [String] { obstacle.map { ["the queue can't be reached: \($0)"] } ?? [] }

    /// That there are no workers.
    public var absence: String { "no worker serves a model; start one: nereid worker --queue URL MODEL" }

    /// That no worker serves it.
    public func absence(of name: String) -> String {
        "no worker serves it; start one: nereid worker --queue URL MODEL"
    }
}

/// What a worker of a queue runs, for its own health: it is of use only with its models and its queue.
public struct WorkerDirectory: ModelDirectory {
    private let models: ModelRepository
    private let worker: RedisWorker

    /// Joins a worker with the models that it runs.
    public init(_ models: ModelRepository, worker: RedisWorker) {
        (self.models, self.worker) = (models, worker)
    }

    /// The models of this process.
    public var entries: [ModelEntry] { models.entries }

    /// The version that answers for this name or alias.
    public func model(named name: String) throws -> JobModel { try models.model(named: name) }

    /// Models that are being loaded for the first time, and a queue that can't be reached.
    public var obstacles: [String] {
        models.obstacles + (worker.obstacle.map { ["the queue can't be reached: \($0)"] } ?? [])
    }

    /// The models of this process that the operator named one by one.
    public var named: [NamedModel] { models.named }

    /// Files of this process whose name another one has.
    public var leftOut: [LeftOutFile] { models.leftOut }

    /// As the models of this process have it.
    public var absence: String { models.absence }

    /// As the models of this process have it.
    public func absence(of name: String) -> String { models.absence(of: name) }
}

extension LegacyQueue: ModelDirectory {
    /// The models of the lists. Whether workers look at them nobody can tell: they are taken to be ready.
    public var entries: [ModelEntry] { models.map(ModelEntry.remote) }

    /// The model of this name, or of the list with this name.
    public func model(named name: String) throws -> JobModel {
        let models = models
        guard let model = models.first(where: { $0.name == name }) ?? models.first(where: { $0.aliases.contains(name) })
        else { throw ModelsError.notFound(name: name, served: models.map(\.name)) }
        return .remote(model)
    }

    /// Lists that can't be reached.
    public var obstacles: [String] { obstacle.map { [$0] } ?? [] }
}

/// Several directories as one. Where two know a name, the first one's model answers.
public struct JoinedDirectory: ModelDirectory {
    private let parts: [any ModelDirectory]

    /// Joins directories.
    public init(_ parts: [any ModelDirectory]) {
        self.parts = parts
    }

    /// The models of all, each name once.
    public var entries: [ModelEntry] {
        var names: Set<String> = []
        return parts.flatMap(\.entries).filter { names.insert($0.name).inserted }
    }

    /// The model of this name, or else of this alias.
    public func model(named name: String) throws -> JobModel {
        let owner = parts.first { $0.entries.contains { $0.name == name } }
        if let owner = owner ?? parts.first(where: { $0.entries.contains { $0.aliases.contains(name) } }) {
            return try owner.model(named: name)
        }
        // A model that is not listed at this moment may still be known to the one who had it.
        var failure: any Error = ModelsError.notFound(name: name, served: entries.filter(\.isReady).map(\.name))
        for part in parts {
            do {
                return try part.model(named: name)
            } catch ModelsError.notFound {
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// What stands against any of them.
    public var obstacles: [String] { parts.flatMap(\.obstacles) }

    /// The models of all that the operator named one by one.
    public var named: [NamedModel] { parts.flatMap(\.named) }

    /// Files of all whose name another one has.
    public var leftOut: [LeftOutFile] { parts.flatMap(\.leftOut) }

    /// What each has to say.
    public var absence: String { parts.map(\.absence).joined(separator: "; ") }

    /// What each has to say.
    public func absence(of name: String) -> String { parts.map { $0.absence(of: name) }.joined(separator: "; ") }
}
