// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The names of a model's classes, in the order of training.
public struct Labels: Sendable, Hashable {
    /// One name for each class number.
    public let names: [String]

    /// Labels as given.
    public init(_ names: [String]) {
        self.names = names
    }

    /// `class 0`, `class 1`, … for a model that does not name its classes.
    public static func numbered(_ count: Int) -> Labels {
        Labels((0..<count).map { "class \($0)" })
    }

    /// The number of classes.
    public var count: Int { names.count }

    /// The name of a class; `class 7` for a number beyond the names, so that a detection is never without one.
    public subscript(classID: Int) -> String {
        names.indices.contains(classID) ? names[classID] : "class \(classID)"
    }

    /// The numbers of all classes with this name (several, when a renaming has merged them).
    public func classIDs(named name: String) -> [Int] {
        names.indices.filter { names[$0] == name }
    }

    /// The numbers of the classes that a request names, by label or by number.
    ///
    /// - Throws: ``VisionError/unknownClass(model:name:classes:)``.
    public func classIDs(named names: [String], model: String) throws(VisionError) -> Set<Int> {
        var numbers: Set<Int> = []
        for name in names {
            let byLabel = classIDs(named: name)
            if !byLabel.isEmpty {
                numbers.formUnion(byLabel)
            } else if let number = Int(name), number >= 0, count == 0 || number < count {
                numbers.insert(number)
            } else {
                throw .unknownClass(model: model, name: name, classes: self.names)
            }
        }
        return numbers
    }

    /// The same labels with some of them called otherwise.
    public func renamed(_ names: [String: String]) -> Labels {
        Labels(self.names.map { names[$0] ?? $0 })
    }
}
