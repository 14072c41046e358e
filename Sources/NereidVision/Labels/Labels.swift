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

    /// The numbers of the classes that a request names.
    ///
    /// Each text is first taken as the name of one class, with its commas, so that every class can be asked for. If no class
    /// has that name, the text is a list, separated by commas: each of its items, without the white space around it, is the name
    /// of a class or, if no class has that name, the number of one. Empty items are passed over.
    ///
    /// - Parameter texts: each with the names or numbers of one or more classes; the result is all of them together.
    /// - Throws: ``VisionError/unknownClass(model:name:classes:)``, also for a text without an item.
    public func classIDs(named texts: [String], model: String) throws(VisionError) -> Set<Int> {
        var numbers: Set<Int> = []
        for text in texts {
            let whole = [text, Self.trimmed(text)].lazy.map { classIDs(named: $0) }.first { !$0.isEmpty }
            if let whole {
                numbers.formUnion(whole)
                continue
            }
            let items = text.split(separator: ",").map(Self.trimmed).filter { !$0.isEmpty }
            guard !items.isEmpty else { throw .unknownClass(model: model, name: text, classes: names) }
            for item in items {
                let byLabel = classIDs(named: item)
                if !byLabel.isEmpty {
                    numbers.formUnion(byLabel)
                } else if let number = Int(item), number >= 0, count == 0 || number < count {
                    numbers.insert(number)
                } else {
                    throw .unknownClass(model: model, name: item, classes: names)
                }
            }
        }
        return numbers
    }

    /// A text without the white space around it.
    private static func trimmed(_ text: some StringProtocol) -> String {
        let rest = text.drop(while: \.isWhitespace)
        guard let last = rest.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(rest[...last])
    }

    /// The same labels with some of them called otherwise.
    public func renamed(_ names: [String: String]) -> Labels {
        Labels(self.names.map { names[$0] ?? $0 })
    }
}
