// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What an ONNX file says of itself without its weights: versions, operators, and the files that hold weights elsewhere.
///
/// It is read where an engine has refused a file, to say why. Reading blocks its thread for milliseconds.
///
/// Source: onnx.proto of the specification, IR version 13.
public struct GraphOutline: Sendable {
    /// An operator by its set and its name.
    public struct Operator: Sendable, Hashable, Comparable, CustomStringConvertible {
        /// Empty for ONNX's own operators.
        public let domain: String
        /// Such as `Conv`.
        public let name: String

        /// Names an operator.
        public init(domain: String, name: String) {
            self.domain = domain
            self.name = name
        }

        /// The set and the name.
        public var description: String { domain.isEmpty ? name : "\(domain).\(name)" }

        /// By set, then by name.
        public static func < (left: Self, right: Self) -> Bool {
            (left.domain, left.name) < (right.domain, right.name)
        }
    }

    /// Why a file has no outline.
    public enum Failure: Error, Sendable, Equatable {
        /// It ends before the end that it states; the numbers are bytes.
        case cutShort(needed: Int, count: Int)
        /// It is something else than an ONNX graph.
        case foreign(found: String, advice: String)
        /// It begins as an ONNX graph does, and has no sense further on.
        case damaged
    }

    /// The version of the file's format.
    public private(set) var formatVersion = 0
    /// The version of each set of operators, by its domain; the empty one is ONNX's own.
    public private(set) var operatorSets: [String: Int] = [:]
    /// Every operator in use, in the graphs inside of operators too.
    public private(set) var operators: Set<Operator> = []
    /// Operators that the file defines itself.
    public private(set) var functions: Set<Operator> = []
    /// Files of weights, relative to the file's folder, with the bytes that each must have at least.
    public private(set) var externalFiles: [String: Int] = [:]

    private static let deepest = 32
    private static let longestText = 4096

    /// Reads the outline of a file.
    ///
    /// - Throws: ``Failure``, ``CheckpointError/unreadable(file:reason:)``.
    public init(path: String) throws {
        try self.init(CheckpointBytes(mapping: path), file: path)
    }

    init(_ bytes: CheckpointBytes, file: String) throws(Failure) {
        let content = FileDescription(bytes, file: file)
        guard content.isGraph else { throw .foreign(found: content.found, advice: content.advice) }
        let reader = Reader(bytes: bytes)
        do {
            try reader.fields(ByteExtent(start: 0, count: bytes.count)) { field throws(ProtobufCursor.Failure) in
                switch (field.number, field.value) {
                case (1, .number(let version)): formatVersion = Int(clamping: version)
                case (7, .bytes(let graph)): try read(graph: graph, reader, depth: 0)
                case (8, .bytes(let entry)): try read(operatorSet: entry, reader)
                case (25, .bytes(let function)): try read(function: function, reader)
                default: break
                }
            }
        } catch {
            switch error {
            // Only a field of the outermost message can go beyond the file; others contradict the message around them.
            case .cutShort(let needed) where needed > bytes.count: throw .cutShort(needed: needed, count: bytes.count)
            case .cutShort, .malformed: throw .damaged
            }
        }
    }

    private mutating func read(graph: ByteExtent, _ reader: Reader, depth: Int) throws(ProtobufCursor.Failure) {
        guard depth < Self.deepest else { throw .malformed }
        try reader.fields(graph) { field throws(ProtobufCursor.Failure) in
            switch (field.number, field.value) {
            case (1, .bytes(let node)): try read(node: node, reader, depth: depth)
            case (5, .bytes(let tensor)): try read(tensor: tensor, reader)
            case (15, .bytes(let sparse)):
                try reader.fields(sparse) { part throws(ProtobufCursor.Failure) in
                    if case .bytes(let tensor) = part.value { try read(tensor: tensor, reader) }
                }
            default: break
            }
        }
    }

    private mutating func read(node: ByteExtent, _ reader: Reader, depth: Int) throws(ProtobufCursor.Failure) {
        var (name, domain) = ("", "")
        try reader.fields(node) { field throws(ProtobufCursor.Failure) in
            switch (field.number, field.value) {
            case (4, .bytes(let text)): name = reader.text(text)
            case (7, .bytes(let text)): domain = reader.text(text)
            case (5, .bytes(let attribute)):
                try reader.fields(attribute) { part throws(ProtobufCursor.Failure) in
                    switch (part.number, part.value) {
                    case (5, .bytes(let tensor)), (10, .bytes(let tensor)): try read(tensor: tensor, reader)
                    case (6, .bytes(let graph)), (11, .bytes(let graph)):
                        try read(graph: graph, reader, depth: depth + 1)
                    default: break
                    }
                }
            default: break
            }
        }
        operators.insert(Operator(domain: Self.canonical(domain), name: name))
    }

    private mutating func read(tensor: ByteExtent, _ reader: Reader) throws(ProtobufCursor.Failure) {
        var isExternal = false
        var entries: [String: String] = [:]
        try reader.fields(tensor) { field throws(ProtobufCursor.Failure) in
            switch (field.number, field.value) {
            case (14, .number(let place)): isExternal = place == 1
            case (13, .bytes(let entry)):
                let (key, value) = try reader.pair(entry)
                entries[key] = value
            default: break
            }
        }
        guard isExternal, let location = entries["location"] else { return }
        let (offset, length) = (entries["offset"].flatMap(Int.init) ?? 0, entries["length"].flatMap(Int.init) ?? 0)
        let (end, isTooMuch) = offset.addingReportingOverflow(length)
        externalFiles[location] = max(externalFiles[location] ?? 0, isTooMuch ? .max : end)
    }

    private mutating func read(operatorSet: ByteExtent, _ reader: Reader) throws(ProtobufCursor.Failure) {
        var (domain, version) = ("", 0)
        try reader.fields(operatorSet) { field throws(ProtobufCursor.Failure) in
            switch (field.number, field.value) {
            case (1, .bytes(let text)): domain = reader.text(text)
            case (2, .number(let number)): version = Int(clamping: number)
            default: break
            }
        }
        operatorSets[Self.canonical(domain)] = version
    }

    private mutating func read(function: ByteExtent, _ reader: Reader) throws(ProtobufCursor.Failure) {
        var (name, domain) = ("", "")
        try reader.fields(function) { field throws(ProtobufCursor.Failure) in
            switch (field.number, field.value) {
            case (1, .bytes(let text)): name = reader.text(text)
            case (10, .bytes(let text)): domain = reader.text(text)
            case (7, .bytes(let node)): try read(node: node, reader, depth: 0)
            default: break
            }
        }
        functions.insert(Operator(domain: Self.canonical(domain), name: name))
    }

    /// ONNX's own set has two names.
    private static func canonical(_ domain: String) -> String { domain == "ai.onnx" ? "" : domain }

    /// Reads messages of one file.
    private struct Reader {
        let bytes: CheckpointBytes

        func fields(
            _ extent: ByteExtent,
            _ take: (ProtobufCursor.Field) throws(ProtobufCursor.Failure) -> Void
        ) throws(ProtobufCursor.Failure) {
            var cursor = ProtobufCursor(bytes, in: extent)
            while let field = try cursor.next() { try take(field) }
        }

        func text(_ extent: ByteExtent) -> String {
            bytes.text(in: ByteExtent(start: extent.start, count: min(extent.count, GraphOutline.longestText))) ?? "?"
        }

        func pair(_ extent: ByteExtent) throws(ProtobufCursor.Failure) -> (key: String, value: String) {
            var (key, value) = ("", "")
            try fields(extent) { field throws(ProtobufCursor.Failure) in
                switch (field.number, field.value) {
                case (1, .bytes(let extent)): key = text(extent)
                case (2, .bytes(let extent)): value = text(extent)
                default: break
                }
            }
            return (key, value)
        }
    }
}
