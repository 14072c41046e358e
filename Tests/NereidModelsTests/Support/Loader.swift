// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidModels
import NereidVision

/// Stands in for the engine: a file's text says what becomes of it.
///
/// `broken` can't be loaded; words after `aliases` are aliases; anything else is a version of a model.
actor Loader {
    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    private let vision: VisionModel
    /// The texts of the files it was asked to load, in order.
    private(set) var texts: [String] = []
    /// The names of the models, as they are asked for.
    nonisolated let names: AsyncStream<String>
    private nonisolated let name: AsyncStream<String>.Continuation

    init() async throws {
        vision = try await Fixtures.vision()
        (names, name) = AsyncStream.makeStream()
    }

    func load(_ found: FoundModel) throws -> ServedModel {
        let text = try String(contentsOfFile: found.path, encoding: .utf8)
        texts.append(text)
        name.yield(found.name)
        if text == "broken" { throw Broken(description: "the graph of ‘\(found.name)’ is broken") }
        let words = text.split(separator: " ").map(String.init)
        let aliases = words.firstIndex(of: "aliases").map { Array(words[($0 + 1)...]) } ?? []
        return ServedModel(name: found.name, aliases: aliases, path: found.path, vision: vision)
    }

    nonisolated func repository(_ locations: ModelLocation..., interval: Duration = .seconds(1)) -> ModelRepository {
        ModelRepository(locations: locations, interval: interval, logger: Fixtures.logger) { try await self.load($0) }
    }
}
