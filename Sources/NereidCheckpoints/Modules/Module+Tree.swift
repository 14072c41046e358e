// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Module {
    /// Checks that no module lies within itself, wherever it is in the tree.
    ///
    /// The time is in proportion to the number of modules, each counted once however often it is used.
    ///
    /// - Throws: ``ConversionError/nestedTooDeeply(path:limit:)``.
    func checkTree() throws {
        var finished: Set<Int> = []
        var open: Set<Int> = [value.identity]
        var waiting = [(value: value, path: path, parts: Self.parts(of: value))]
        while let current = waiting.last {
            guard let next = current.parts.last else {
                open.remove(current.value.identity)
                finished.insert(current.value.identity)
                waiting.removeLast()
                continue
            }
            waiting[waiting.count - 1].parts.removeLast()
            if finished.contains(next.value.identity) { continue }
            let path = current.path.isEmpty ? next.name : "\(current.path).\(next.name)"
            guard open.insert(next.value.identity).inserted, waiting.count < NetworkTranslator.maximumDepth else {
                throw ConversionError.nestedTooDeeply(path: path, limit: NetworkTranslator.maximumDepth)
            }
            waiting.append((next.value, path, Self.parts(of: next.value)))
        }
    }

    private static func parts(of value: CheckpointValue) -> [(name: String, value: CheckpointValue)] {
        guard let entries = value.attribute("_modules")?.entries else { return [] }
        return entries.reversed().compactMap { key, value in
            value.object == nil ? nil : (String((key.text ?? key.description).prefix(128)), value)
        }
    }
}
