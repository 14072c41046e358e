// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The names of the classes that a checkpoint gives, and what was wrong with them.
///
/// A name is only given to the class whose number the checkpoint states for it: by its place in a list, or by its key in a
/// dictionary. What can't be read leaves classes numbered, and is said.
struct CheckpointLabels: Sendable, Hashable {
    /// One name for each class; those that have none are numbered.
    private(set) var names: [String]
    /// What could not be read, in sentences; empty when all is well.
    private(set) var warnings: [String] = []

    /// - Parameters:
    ///   - value: The checkpoint's `names`; `nil` when there is none.
    ///   - count: How many classes the network has.
    init(_ value: CheckpointValue?, count: Int) {
        names = (0..<count).map { "class \($0)" }
        guard let value, !value.isNone else { return }
        guard let stated = Self.stated(value) else {
            warnings = ["the checkpoint's ‘names’, \(value.description), can't be read; the classes are numbered"]
            return
        }
        let missing = (0..<count).filter { stated[$0] == nil }
        let beyond = stated.keys.filter { !(0..<count).contains($0) }
        if let number = beyond.min(), let gap = missing.first {
            warnings = [
                "the checkpoint's ‘names’ name class \(number), but not class \(gap) of \(count); the classes are numbered"
            ]
            return
        }
        for (number, name) in stated where names.indices.contains(number) { names[number] = name }
        if let gap = missing.first {
            warnings.append(
                "the checkpoint names \(count - missing.count) of \(count) classes; class \(gap) has no name"
            )
        }
        if !beyond.isEmpty {
            warnings.append("the checkpoint's ‘names’ name \(stated.count) classes, but the network has \(count)")
        }
    }

    /// The names by class number; `nil` when any of them can't be read.
    private static func stated(_ value: CheckpointValue) -> [Int: String]? {
        var names: [Int: String] = [:]
        if let elements = value.elements, value.kind != .set {
            for (number, element) in elements.enumerated() {
                guard let name = text(element) else { return nil }
                names[number] = name
            }
            return names
        }
        guard let entries = value.entries else { return nil }
        // YOLOv5's data sets also had names with their numbers.
        let isInverted = !entries.isEmpty && entries.allSatisfy { number($0.key) == nil && $0.value.integer != nil }
        for entry in entries {
            let (key, value) = isInverted ? (entry.value, entry.key) : (entry.key, entry.value)
            guard let number = Self.number(key), number >= 0, let name = Self.text(value),
                names.updateValue(name, forKey: number) == nil
            else { return nil }
        }
        return names
    }

    private static func text(_ value: CheckpointValue) -> String? {
        value.text ?? value.integer.map(String.init) ?? value.double.map { String($0) }
            ?? value.bytes.flatMap { String(validating: $0, as: UTF8.self) }
    }

    private static func number(_ key: CheckpointValue) -> Int? {
        key.integer ?? key.text.flatMap { Int($0) }
    }
}
