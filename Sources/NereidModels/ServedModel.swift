// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidVision

/// One loaded version of a model, under the name it is served by.
///
/// Whoever works on a request holds on to the version that the request was accepted for: replacing or removing a model
/// lets go of the repository's hold only, and the session ends when the last request on it does.
public final class ServedModel: Sendable {
    /// The name in requests.
    public let name: String
    /// Other names in requests.
    public let aliases: [String]
    /// The file it was loaded from.
    public let path: String
    /// The model.
    public let vision: VisionModel

    /// Makes a served model.
    public init(name: String, aliases: [String], path: String, vision: VisionModel) {
        self.name = name
        self.aliases = aliases
        self.path = path
        self.vision = vision
    }
}

/// How a model stands: what a list of models shows of it.
public struct ModelStatus: Sendable {
    /// The name in requests.
    public let name: String
    /// The file.
    public let path: String
    /// The version that answers requests; `nil` while the first one loads, or when it could not be loaded.
    public internal(set) var model: ServedModel?
    /// Whether a version is being loaded.
    public internal(set) var isLoading: Bool
    /// Why the file as it is now can't be served; an earlier version may still answer.
    public internal(set) var failure: String?

    /// One word for it.
    public var state: State {
        if model != nil { .ready } else if isLoading { .loading } else { .failed }
    }

    /// The states that a model can be in.
    public enum State: String, Sendable {
        /// Being loaded for the first time.
        case loading
        /// Answers requests.
        case ready
        /// Its file is broken; ``ModelStatus/failure`` says how.
        case failed
    }
}
