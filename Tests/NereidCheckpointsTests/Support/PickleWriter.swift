// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints

/// Writes a pickle opcode by opcode (protocol 2, as torch does), and gathers the storages that it names.
struct PickleWriter {
    private(set) var bytes: [UInt8]
    /// Each storage once, in the order in which they are first named.
    private(set) var storages: [SavedStorage] = []
    /// Whether bytes are written as text in latin-1, as protocol 2 has to.
    var encodesBytes = false

    init(protocolVersion: UInt8 = 2) {
        bytes = [0x80, protocolVersion]
    }

    /// Writes a whole pickle of one value.
    static func pickle(_ value: Pickled, protocolVersion: UInt8 = 2) -> PickleWriter {
        var writer = PickleWriter(protocolVersion: protocolVersion)
        writer.write(value)
        writer.write(opcodes: [0x2E])
        return writer
    }

    mutating func write(opcodes: [UInt8]) {
        bytes += opcodes
    }

    mutating func write(_ value: Pickled) {
        switch value {
        case .none: bytes.append(0x4E)
        case .boolean(let value): bytes.append(value ? 0x88 : 0x89)
        case .integer(let value): write(integer: value)
        case .real(let value):
            bytes.append(0x47)
            bytes += littleEndian(value.bitPattern.byteSwapped)
        case .text(let value):
            bytes.append(0x58)
            bytes += littleEndian(UInt32(value.utf8.count)) + Array(value.utf8)
        case .bytes(let value) where encodesBytes:
            let text = String(String.UnicodeScalarView(value.map { Unicode.Scalar($0) }))
            write(.call("_codecs", "encode", [.text(text), .text("latin1")]))
        case .bytes(let value):
            bytes.append(0x42)
            bytes += littleEndian(UInt32(value.count)) + value
        case .tuple(let elements):
            bytes.append(0x28)
            elements.forEach { write($0) }
            bytes.append(0x74)
        case .list(let elements):
            bytes += [0x5D, 0x28]
            elements.forEach { write($0) }
            bytes.append(0x65)
        case .dictionary(let entries):
            bytes += [0x7D, 0x28]
            for (key, value) in entries {
                write(key)
                write(value)
            }
            bytes.append(0x75)
        case .name(let module, let name):
            bytes += [0x63] + Array("\(module)\n\(name)\n".utf8)
        case .reduce(let maker, let arguments):
            write(maker)
            write(.tuple(arguments))
            bytes.append(0x52)
        case .instance(let maker, let state):
            write(maker)
            bytes += [0x29, 0x81]
            write(state)
            bytes.append(0x62)
        case .built(let value, let state):
            write(value)
            write(state)
            bytes.append(0x62)
        case .storage(let storage):
            if !storages.contains(where: { $0.key == storage.key }) { storages.append(storage) }
            write(
                .tuple([
                    .text("storage"), .name(storage.module, storage.className), .text(storage.key), .text("cpu"),
                    .integer(storage.count),
                ])
            )
            bytes.append(0x51)
        case .opcodes(let codes):
            bytes += codes
        }
    }

    private mutating func write(integer value: Int) {
        switch value {
        case 0...0xFF: bytes += [0x4B, UInt8(value)]
        case 0x100...0xFFFF: bytes += [0x4D] + littleEndian(UInt16(value))
        case Int(Int32.min)...Int(Int32.max): bytes += [0x4A] + littleEndian(Int32(value))
        default: bytes += [0x8A, 8] + littleEndian(value)
        }
    }
}

/// A value as it is to be pickled.
indirect enum Pickled: Sendable {
    case none
    case boolean(Bool)
    case integer(Int)
    case real(Double)
    case text(String)
    case bytes([UInt8])
    case tuple([Pickled])
    case list([Pickled])
    case dictionary([(Pickled, Pickled)])
    case name(String, String)
    case reduce(Pickled, [Pickled])
    /// An instance that was made without arguments and restored from its state.
    case instance(Pickled, state: Pickled)
    /// A value that is given state.
    case built(Pickled, state: Pickled)
    case storage(SavedStorage)
    /// Opcodes that leave one value on the stack.
    case opcodes([UInt8])

    static func call(_ module: String, _ name: String, _ arguments: [Pickled]) -> Pickled {
        .reduce(.name(module, name), arguments)
    }

    static func integers(_ values: [Int]) -> Pickled { .tuple(values.map { .integer($0) }) }

    static func entries(_ entries: KeyValuePairs<String, Pickled>) -> Pickled {
        .dictionary(entries.map { (.text($0.key), $0.value) })
    }

    static var orderedDictionary: Pickled { .call("collections", "OrderedDict", []) }

    /// A view of a storage, as `torch.save` writes it; by default the whole of it in the last dimension's order.
    static func tensor(
        _ storage: SavedStorage,
        shape: [Int],
        strides: [Int]? = nil,
        offset: Int = 0
    ) -> Pickled {
        .call(
            "torch._utils",
            "_rebuild_tensor_v2",
            [
                .storage(storage), .integer(offset), .integers(shape), .integers(strides ?? rowMajor(shape)),
                .boolean(false), orderedDictionary,
            ]
        )
    }

    static func rowMajor(_ shape: [Int]) -> [Int] {
        var strides = shape
        var product = 1
        for position in shape.indices.reversed() {
            strides[position] = product
            product *= max(shape[position], 1)
        }
        return strides
    }
}

/// Numbers as they stand in a checkpoint.
struct SavedStorage: Sendable {
    var key: String
    var module = "torch"
    var className: String
    var count: Int
    var bytes: [UInt8]

    init(key: String, module: String = "torch", _ className: String, count: Int, bytes: [UInt8]) {
        self.key = key
        self.module = module
        self.className = className
        self.count = count
        self.bytes = bytes
    }

    init(key: String = "0", floats: [Float]) {
        self.init(
            key: key,
            "FloatStorage",
            count: floats.count,
            bytes: floats.flatMap { littleEndian($0.bitPattern) }
        )
    }
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
