// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The models as they stand at one moment, by name and alias. A value: readers keep theirs while the next one is made.
public struct ModelCatalogue: Sendable {
    /// Every model, in the order in which they are to be listed.
    public private(set) var statuses: [ModelStatus] = []
    /// The models that the operator named one by one, whether they are there or not.
    public internal(set) var named: [NamedModel] = []
    /// Files that are not served since another model has their name.
    public internal(set) var leftOut: [LeftOutFile] = []
    /// Whether every location has been looked at once and every model found there has been tried.
    public internal(set) var isComplete = false

    /// The version that answers for this name or alias.
    ///
    /// - Throws: ``ModelsError/notFound(name:served:)`` naming what is served; ``ModelsError/loading(name:)``;
    ///   ``ModelsError/broken(name:reason:)``.
    public func model(named name: String) throws(ModelsError) -> ServedModel {
        guard let status = status(named: name) else {
            throw .notFound(name: name, served: statuses.filter { $0.model != nil }.map(\.name))
        }
        guard let model = status.model else {
            throw status.failure.map { .broken(name: status.name, reason: $0) } ?? .loading(name: status.name)
        }
        return model
    }

    /// How the model of this name or alias stands. Names come before aliases.
    public func status(named name: String) -> ModelStatus? {
        statuses.first { $0.name == name } ?? statuses.first { $0.model?.aliases.contains(name) ?? false }
    }

    /// The only model, when there is one, or the first: what a request gets that names none.
    public var first: ServedModel? { statuses.lazy.compactMap(\.model).first }

    mutating func update(_ name: String, path: String, _ change: (inout ModelStatus) -> Void) {
        if let index = statuses.firstIndex(where: { $0.name == name }) {
            change(&statuses[index])
        } else {
            var status = ModelStatus(name: name, path: path, model: nil, isLoading: false, failure: nil)
            change(&status)
            statuses.append(status)
        }
    }

    mutating func remove(_ name: String) {
        statuses.removeAll { $0.name == name }
    }

    /// Lists the models in the order of these names.
    mutating func order(by names: [String]) {
        let places = Dictionary(zip(names, names.indices), uniquingKeysWith: { first, _ in first })
        statuses.sort { (places[$0.name] ?? .max, $0.name) < (places[$1.name] ?? .max, $1.name) }
    }
}

/// A model that the operator named by itself: as a file, a model folder or with NAME=PATH, not by the folder that it is in.
public struct NamedModel: Sendable, Hashable {
    /// The name in requests.
    public let name: String
    /// Where it is to be.
    public let path: String

    /// Makes a named model.
    public init(name: String, path: String) {
        self.name = name
        self.path = path
    }
}

/// A file that could be a model, but is not served under any name.
public struct LeftOutFile: Sendable, Hashable {
    /// The file.
    public let path: String
    /// Why it is not served.
    public let reason: String
}
