// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The name of a class or function, as a checkpoint gives it.
public struct PickledName: Sendable, Hashable, CustomStringConvertible {
    /// The Python module, such as `models.common`.
    public let module: String
    /// The name inside the module, such as `Conv`.
    public let name: String

    /// Module and name with a dot between them, as the file has them; they may hold any characters.
    public var description: String { "\(module).\(name)" }

    /// Names a class or function.
    public init(module: String, name: String) {
        self.module = module
        self.name = name
    }
}

/// What a checkpoint asks to be made by a class or function, which never happens.
///
/// A module of a network is one of these: its class by name, and its attributes by ``CheckpointValue/attribute(_:)``.
/// A call of `os.system` is one too. Whoever walks the tree decides which names belong where, and refuses the rest.
public struct PickledObject: Sendable {
    let checkpoint: Checkpoint
    let record: ObjectRecord

    init(_ checkpoint: Checkpoint, _ record: ObjectRecord) {
        self.checkpoint = checkpoint
        self.record = record
    }

    /// The class or function; `nil` when it is itself the result of a call.
    public var maker: PickledName? { CheckpointValue(checkpoint, record.maker).name }

    /// The module of the class or function; empty when it has no name.
    public var module: String { maker?.module ?? "" }

    /// The name of the class or function in its module; empty when it has none.
    public var name: String { maker?.name ?? "" }

    /// The class or function in words for a message: its name, or what it is the result of.
    public var makerDescription: String { checkpoint.table.makerName(of: record) }

    /// Whether the class or function is to be called, rather than an instance made without calling it.
    public var isCall: Bool { record.origin == .call }

    /// The arguments, a tuple.
    public var arguments: CheckpointValue { CheckpointValue(checkpoint, record.arguments) }

    /// The arguments by name, a dictionary.
    public var keywordArguments: CheckpointValue? {
        record.keywordArguments.map { CheckpointValue(checkpoint, $0) }
    }

    /// What the class would restore its attributes from; in most cases a dictionary.
    public var state: CheckpointValue? { record.state.map { CheckpointValue(checkpoint, $0) } }

    /// What is appended to an object that behaves as a list.
    public var elements: CheckpointValue.Elements? {
        record.elements.map {
            CheckpointValue.Elements(checkpoint: checkpoint, numbers: checkpoint.table.lists[Int($0)][...])
        }
    }

    /// What is set in an object that behaves as a dictionary.
    public var entries: CheckpointValue.Entries? {
        record.entries.map {
            CheckpointValue.Entries(checkpoint: checkpoint, record: checkpoint.table.dictionaries[Int($0)])
        }
    }

    /// The attribute by its name.
    public func attribute(_ name: String) -> CheckpointValue? {
        guard let state else { return nil }
        if let value = state[name] { return value }
        guard state.kind == .tuple, let parts = state.elements, parts.count == 2 else { return nil }
        return parts[0][name] ?? parts[1][name]
    }
}
