// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing
import Yams

/// A YAML document, whose scalars are all text.
indirect enum Document: Equatable {
    case text(String)
    case list([Document])
    case map([String: Document])
    /// `!reset`: what other files say here counts no more.
    case reset

    /// All documents of a file.
    static func all(of text: String) throws -> [Document] {
        try Yams.compose_all(yaml: text).map { Document($0) }
    }

    init(_ node: Node) {
        if node.tag.description == "!reset" {
            self = .reset
        } else if let mapping = node.mapping {
            var map: [String: Document] = [:]
            for (key, value) in mapping where key.string == "<<" {
                if case .map(let merged) = Document(value) { map.merge(merged) { $1 } }
            }
            for (key, value) in mapping {
                if let name = key.string, name != "<<" { map[name] = Document(value) }
            }
            self = .map(map)
        } else if let sequence = node.sequence {
            self = .list(sequence.map { Document($0) })
        } else {
            self = .text(node.string ?? "")
        }
    }

    subscript(_ path: String...) -> Document? {
        path.reduce(self) { document, name in
            guard case .map(let map) = document else { return nil }
            return map[name]
        }
    }

    var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    var list: [Document] {
        guard case .list(let list) = self else { return [] }
        return list
    }

    var map: [String: Document] {
        guard case .map(let map) = self else { return [:] }
        return map
    }

    /// The texts in a list.
    var texts: [String] { list.compactMap(\.text) }

    /// What a later file makes of it: maps are merged, and lists of things with names by those; everything else is replaced.
    func merging(_ later: Document) -> Document {
        switch (self, later) {
        case (.map(let mine), .map(let others)):
            return .map(mine.merging(others) { $0.merging($1) }.filter { $0.value != .reset })
        case (.list(let mine), .list(let others)) where (mine + others).allSatisfy { $0["name"]?.text != nil }:
            return .list(
                others.reduce(into: mine) { list, other in
                    if let index = list.firstIndex(where: { $0["name"] == other["name"] }) {
                        list[index] = list[index].merging(other)
                    } else {
                        list.append(other)
                    }
                }
            )
        default: return later
        }
    }

    /// The same with every text changed.
    func mapTexts(_ transform: (String) throws -> String) rethrows -> Document {
        switch self {
        case .text(let text): .text(try transform(text))
        case .list(let list): .list(try list.map { try $0.mapTexts(transform) })
        case .map(let map): .map(try map.mapValues { try $0.mapTexts(transform) })
        case .reset: .reset
        }
    }
}

/// Parts of a deployment's files that can't be understood.
struct DeploymentMistake: Error, CustomStringConvertible {
    let description: String
}
