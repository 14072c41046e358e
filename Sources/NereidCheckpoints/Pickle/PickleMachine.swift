// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Reads a pickle into a table of inert values.
///
/// A pickle is a program for a stack machine, and Python runs it: it may name any function and have it called. This
/// machine never looks a name up and never calls anything. What a pickle wants called becomes an ``ObjectRecord`` that
/// says so; only the few constructors of ``KnownConstructor`` are understood, as plain values.
///
/// There is no recursion, every opcode costs time in proportion to the bytes that it takes from the file or the values
/// that it takes from the stack, and what is made is counted against ``CheckpointLimits``.
struct PickleMachine {
    var cursor: PickleCursor
    var table: ValueTable
    let limits: CheckpointLimits

    var stack: [ValueIndex] = []
    /// The stack's height at each open mark.
    var marks: [Int] = []
    var memo: [Int: ValueIndex] = [:]
    /// Where the opcode that is being carried out stands in the file.
    var opcodeStart = 0

    private var valuesLeft: Int
    private var blobBytesLeft: Int

    /// Prepares to read the pickle at the start of `part`; what it makes is added to `table`.
    init(_ bytes: CheckpointBytes, part: CheckpointPart, into table: ValueTable, limits: CheckpointLimits) {
        cursor = PickleCursor(bytes, part: part)
        self.table = table
        self.limits = limits
        // Values are numbered with 32 bits.
        valuesLeft = min(limits.values, Int(Int32.max))
        // Bytes are decoded from text of the file, and texts of NumPy from such bytes, once each in an honest file.
        blobBytesLeft = 2 * part.extent.count
    }

    /// Reads up to the end of the pickle and gives its value.
    ///
    /// - Throws: ``CheckpointError`` of the kinds `damaged`, `unsupported`, `limitExceeded`.
    mutating func run() throws(CheckpointError) -> ValueIndex {
        while true {
            opcodeStart = cursor.position
            guard cursor.remaining > 0 else { throw damaged("the pickle ends without its STOP opcode") }
            let code = try cursor.byte()
            guard let opcode = PickleOpcode(rawValue: code) else {
                throw damaged("0x\(String(code, radix: 16)) is no opcode of a pickle")
            }
            if opcode == .stop { return try pop() }
            try perform(opcode)
        }
    }

    private mutating func perform(_ opcode: PickleOpcode) throws(CheckpointError) {
        switch opcode {
        case .stop: break
        case .protocolVersion, .frame, .mark, .pop, .popMark, .duplicate:
            try performControl(opcode)
        case .binaryGet, .longBinaryGet, .binaryPut, .longBinaryPut, .memoize:
            try performMemo(opcode)
        case .none, .newTrue, .newFalse, .binaryInteger, .binaryInteger1, .binaryInteger2, .long1, .long4,
            .binaryFloat, .binaryUnicode, .shortBinaryUnicode, .binaryUnicode8, .binaryString, .shortBinaryString,
            .binaryBytes, .shortBinaryBytes, .binaryBytes8, .byteArray8:
            try push(scalar(opcode))
        case .emptyTuple, .tuple, .tuple1, .tuple2, .tuple3, .emptyList, .list, .append, .appends, .emptyDictionary,
            .dictionary, .setItem, .setItems, .emptySet, .addItems, .frozenSet:
            try performCollection(opcode)
        case .global, .stackGlobal, .reduce, .build, .instance, .object, .newObject, .newObjectKeywords,
            .binaryPersistentID:
            try performObject(opcode)
        case .textInteger, .textLong, .textFloat, .textString, .textUnicode, .textGet, .textPut, .textPersistentID:
            throw unsupported("the pickle writes values as text (opcode \(opcode), protocol 0)")
        case .extension1, .extension2, .extension4:
            throw unsupported("the pickle names a class by a number of Python's extension registry")
        case .nextBuffer, .readOnlyBuffer:
            throw unsupported("the pickle keeps data outside of itself (opcode \(opcode))")
        }
    }

    private mutating func performControl(_ opcode: PickleOpcode) throws(CheckpointError) {
        switch opcode {
        case .protocolVersion:
            let version = try cursor.byte()
            guard version <= 5 else { throw unsupported("the pickle has protocol \(version); 2 to 5 are read") }
        case .frame:
            // Frames only tell a reader of streams how much to fetch; their extent is still checked.
            _ = try cursor.length(UInt64.self)
        case .mark:
            guard marks.count < limits.depth else { throw exceeded("nested collections", limits.depth) }
            marks.append(stack.count)
        case .pop:
            if let mark = marks.last, mark == stack.count {
                marks.removeLast()
            } else {
                _ = try pop()
            }
        case .popMark:
            _ = try popToMark()
        case .duplicate:
            try push(top())
        default:
            break
        }
    }

    private mutating func performMemo(_ opcode: PickleOpcode) throws(CheckpointError) {
        switch opcode {
        case .binaryGet: try push(recall(Int(cursor.byte())))
        case .longBinaryGet: try push(recall(Int(cursor.integer(UInt32.self))))
        case .binaryPut: try remember(Int(cursor.byte()))
        case .longBinaryPut: try remember(Int(cursor.integer(UInt32.self)))
        case .memoize: try remember(memo.count)
        default: break
        }
    }

    private func recall(_ key: Int) throws(CheckpointError) -> ValueIndex {
        guard let value = memo[key] else { throw damaged("memo \(key) is used before it is set") }
        return value
    }

    private mutating func remember(_ key: Int) throws(CheckpointError) {
        let value = try top()
        if memo.updateValue(value, forKey: key) == nil { try spend(1) }
    }
}

// MARK: - The stack

extension PickleMachine {
    mutating func push(_ value: ValueIndex) throws(CheckpointError) {
        guard stack.count < limits.values else { throw exceeded("values", limits.values) }
        stack.append(value)
    }

    func top() throws(CheckpointError) -> ValueIndex {
        guard let value = stack.last, stack.count > marks.last ?? 0 else {
            throw damaged("the opcode wants a value, and the stack has none")
        }
        return value
    }

    mutating func pop() throws(CheckpointError) -> ValueIndex {
        let value = try top()
        stack.removeLast()
        return value
    }

    /// Takes everything above the last mark, and the mark.
    mutating func popToMark() throws(CheckpointError) -> ArraySlice<ValueIndex> {
        guard let mark = marks.popLast() else { throw damaged("the opcode wants a mark, and there is none") }
        let values = Array(stack[mark...])[...]
        stack.removeSubrange(mark...)
        return values
    }
}

// MARK: - Counting

extension PickleMachine {
    /// Counts values and entries of collections that are about to be made.
    mutating func spend(_ count: Int) throws(CheckpointError) {
        guard count <= valuesLeft else { throw exceeded("values", limits.values) }
        valuesLeft -= count
    }

    /// Counts bytes that are about to be decoded.
    mutating func spendBytes(_ count: Int) throws(CheckpointError) {
        guard count <= blobBytesLeft else {
            throw damaged("the pickle decodes more bytes than it holds: some of its text again and again")
        }
        blobBytesLeft -= count
    }

    /// Adds a value that holds no others.
    mutating func add(_ node: ValueNode) throws(CheckpointError) -> ValueIndex {
        try spend(1)
        return table.append(node, depth: 0)
    }

    /// Adds a value that holds `parts`.
    mutating func add(_ node: ValueNode, holding parts: some Sequence<ValueIndex>) throws(CheckpointError) -> ValueIndex
    {
        try spend(1)
        var depth = 0
        for part in parts { depth = max(depth, table.depth(part)) }
        guard depth < limits.depth else { throw exceeded("nested collections", limits.depth) }
        return table.append(node, depth: UInt16(clamping: depth + 1))
    }

    /// Notes that a value holds another one.
    mutating func note(_ value: ValueIndex, holds part: ValueIndex) throws(CheckpointError) {
        let depth = table.depth(part) + 1
        guard depth > table.depth(value) else { return }
        guard depth <= limits.depth else { throw exceeded("nested collections", limits.depth) }
        table.setDepth(value, UInt16(clamping: depth))
    }
}

// MARK: - Errors

extension PickleMachine {
    var place: CheckpointPlace { cursor.part.place(opcodeStart) }

    func damaged(_ reason: String) -> CheckpointError {
        cursor.part.damaged(at: opcodeStart, reason)
    }

    func unsupported(_ feature: String) -> CheckpointError {
        .unsupported(
            file: cursor.part.file,
            place: place,
            feature: feature,
            advice: "load it in Python and write it with torch.save"
        )
    }

    func exceeded(_ what: String, _ limit: Int) -> CheckpointError {
        .limitExceeded(file: cursor.part.file, place: place, what: what, limit: limit)
    }
}
