// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A value in a checkpoint.
///
/// Each accessor answers `nil` when the value is of another kind, so that a wrong file becomes an error of whoever
/// reads it, never a trap. No accessor walks further than one step down.
public struct CheckpointValue: Sendable {
    /// The checkpoint that holds the value.
    public let checkpoint: Checkpoint
    let index: ValueIndex

    init(_ checkpoint: Checkpoint, _ index: ValueIndex) {
        self.checkpoint = checkpoint
        self.index = index
    }

    /// What a value is.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case none
        case boolean
        case integer
        case real
        case complex
        case text
        case bytes
        case tuple
        case list
        /// Elements may appear more than once: they are not compared.
        case set
        /// `dict`, `OrderedDict` and `defaultdict`.
        case dictionary
        /// A class or function by its name.
        case name
        /// What the file asks to be made by a class or function.
        case object
        /// Numbers without a shape.
        case storage
        /// A tensor, a parameter, or an array of NumPy.
        case tensor
    }

    /// What the value is.
    public var kind: Kind {
        switch node {
        case .none: .none
        case .boolean: .boolean
        case .integer, .largeInteger: .integer
        case .real: .real
        case .complex: .complex
        case .text: .text
        case .bytes, .blob: .bytes
        case .tuple: .tuple
        case .list: .list
        case .set: .set
        case .dictionary: .dictionary
        case .name: .name
        case .object: .object
        case .storage: .storage
        case .tensor: .tensor
        }
    }

    /// The same number for the same value of this checkpoint, wherever it is used: tells sharing from equality, and a
    /// cycle from a tree.
    public var identity: Int { Int(index.number) }

    var node: ValueNode { checkpoint.table[index] }
}

// MARK: - Single values

extension CheckpointValue {
    /// Whether the value is Python's `None`.
    public var isNone: Bool { if case .none = node { true } else { false } }

    /// A truth value.
    public var boolean: Bool? { if case .boolean(let value) = node { value } else { nil } }

    /// An integer that fits into 64 bits.
    public var integer: Int? { if case .integer(let value) = node { Int(exactly: value) } else { nil } }

    /// A number, whether written as an integer or with a fraction.
    public var double: Double? {
        switch node {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    /// Real and imaginary part.
    public var complex: (real: Double, imaginary: Double)? {
        if case .complex(let real, let imaginary) = node { (real, imaginary) } else { nil }
    }

    /// Text, or a path.
    public var text: String? { checkpoint.table.text(index) }

    /// A copy of bytes.
    public var bytes: [UInt8]? {
        switch node {
        case .bytes(let extent): (extent.start..<extent.end).map { checkpoint.bytes[$0] }
        case .blob(let blob): checkpoint.table.blobs[Int(blob)]
        default: nil
        }
    }

    /// A class or function by its name.
    public var name: PickledName? {
        guard case .name(let name) = node else { return nil }
        let record = checkpoint.table.name(name)
        return PickledName(module: record.module, name: record.name)
    }

    /// What the file asks to be made by a class or function.
    public var object: PickledObject? {
        guard case .object(let object) = node else { return nil }
        return PickledObject(checkpoint, checkpoint.table.objects[Int(object)])
    }

    /// A tensor, a parameter, or an array of NumPy.
    public var tensor: TensorReference? {
        guard case .tensor(let tensor) = node else { return nil }
        return TensorReference(checkpoint, checkpoint.table.tensors[Int(tensor)])
    }
}

extension CheckpointValue: CustomStringConvertible {
    /// What the value is, in a few words for a message; its contents are not walked.
    public var description: String {
        switch node {
        case .none: "None"
        case .boolean(let value): value ? "True" : "False"
        case .integer(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let text): Excerpt(checkpoint.table.text(text)).description
        case .tuple, .list, .set: "\(checkpoint.table.kind(of: index)) of \(elements?.count ?? 0)"
        case .dictionary: "a dictionary of \(entries?.count ?? 0)"
        case .tensor: tensor?.description ?? "a tensor"
        default: checkpoint.table.kind(of: index)
        }
    }
}
