// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Yams

/// The names of classes in a YAML or JSON file: a list, or a mapping from class number to name, at its top or under `names`, as
/// in the data sets' files of YOLOv5 and Ultralytics.
struct LabelsDocument {
    /// One name for each class.
    let names: [String]

    /// - Parameter path: the file, for messages.
    init(yaml: String, path: String) throws(SettingsReader.Problem) {
        func refused(_ reason: String) -> SettingsReader.Problem {
            .init("‘labels’ names the file \(path), \(reason)")
        }
        let root: Node?
        do { root = try Yams.compose(yaml: yaml) } catch { throw refused("which is not YAML: \(error)") }
        guard let root else { throw refused("which is empty") }
        let node = root.mapping?["names"] ?? root
        var names: [Int: String] = [:]
        if let sequence = node.sequence {
            for (number, name) in sequence.enumerated() { names[number] = name.scalar?.string }
        } else {
            for (key, value) in node.mapping ?? [:] {
                guard let number = key.scalar.flatMap({ Int($0.string) }) else {
                    throw refused("which has no list or mapping ‘names’ from class number to name")
                }
                names[number] = value.scalar?.string
            }
        }
        let count = node.sequence?.count ?? node.mapping?.count ?? 0
        let ordered = (0..<count).compactMap { names[$0] }
        guard count > 0, ordered.count == count else {
            throw refused("which does not give each class from 0 on a name")
        }
        self.names = ordered
    }
}
