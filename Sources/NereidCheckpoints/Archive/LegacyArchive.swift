// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A checkpoint of the format before PyTorch 1.6: five pickles one after another (a magic number, the format's version,
/// facts about the machine, the object, the storages' keys), then for each key the number of its elements and these
/// (PyTorch, `torch/serialization.py`, `_legacy_save`).
struct LegacyArchive {
    private let bytes: CheckpointBytes
    private let file: String
    private let limits: CheckpointLimits

    private static let magicNumber: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
    private static let version = 1001

    init(_ bytes: CheckpointBytes, file: String, limits: CheckpointLimits) {
        self.bytes = bytes
        self.file = file
        self.limits = limits
    }

    func read() throws(CheckpointError) -> CheckpointContent {
        var position = 0
        try checkMagicNumber(&position)
        try checkVersion(&position)
        try checkByteOrder(&position)

        let part = part(from: position)
        var machine = PickleMachine(bytes, part: part, into: ValueTable(), limits: limits)
        let root = try machine.run()
        position = machine.cursor.position
        let keys = try keys(&position)
        let table = machine.table
        let extents = try extents(of: keys, table, from: position)
        try machine.table.locateStorages(of: part) { (key, place) throws(CheckpointError) in
            guard let extent = extents[key] else {
                throw .damaged(
                    file: file,
                    place: place,
                    reason: "storage \(Excerpt(table.text(key))) is named, but the file does not have it"
                )
            }
            return extent
        }
        return CheckpointContent(container: .legacy, table: machine.table, root: root)
    }

    private func part(from position: Int) -> CheckpointPart {
        CheckpointPart(
            file: file,
            name: nil,
            extent: ByteExtent(start: position, count: bytes.count - position)
        )
    }

    private func pickle(_ position: inout Int) throws(CheckpointError) -> (table: ValueTable, root: ValueIndex) {
        var machine = PickleMachine(bytes, part: part(from: position), into: ValueTable(), limits: limits)
        let root = try machine.run()
        position = machine.cursor.position
        return (machine.table, root)
    }

    private func damaged(at position: Int, _ reason: String) -> CheckpointError {
        .damaged(file: file, place: CheckpointPlace(part: nil, byte: position), reason: reason)
    }

    private func checkMagicNumber(_ position: inout Int) throws(CheckpointError) {
        let (table, root) = try pickle(&position)
        guard case .largeInteger(let extent) = table[root], extent.count == Self.magicNumber.count,
            (0..<extent.count).allSatisfy({ bytes[extent.start + $0] == Self.magicNumber[$0] })
        else {
            throw .notACheckpoint(
                file: file,
                found: "a pickle of a number that is not torch's magic number",
                advice: "give the checkpoint that the training wrote"
            )
        }
    }

    private func checkVersion(_ position: inout Int) throws(CheckpointError) {
        let start = position
        let (table, root) = try pickle(&position)
        guard let version = table.integer(root), version == Self.version else {
            throw .unsupported(
                file: file,
                place: CheckpointPlace(part: nil, byte: start),
                feature: "its format is not version \(Self.version), the only one that there was before PyTorch 1.6",
                advice: "load it in Python and write it with torch.save"
            )
        }
    }

    private func checkByteOrder(_ position: inout Int) throws(CheckpointError) {
        let start = position
        let (table, root) = try pickle(&position)
        guard case .dictionary(let dictionary) = table[root] else {
            throw damaged(at: start, "the facts about the machine that wrote it are \(table.kind(of: root))")
        }
        guard let key = table.textIndex(of: "little_endian"),
            let entry = table.dictionaries[Int(dictionary)].position(of: .text(key)),
            case .boolean(false) = table[table.dictionaries[Int(dictionary)].values[entry]]
        else { return }
        throw .unsupported(
            file: file,
            place: CheckpointPlace(part: nil, byte: start),
            feature: "its numbers are in big-endian order",
            advice: "write it with torch.save on a little-endian machine"
        )
    }

    private func keys(_ position: inout Int) throws(CheckpointError) -> [String] {
        let start = position
        let (table, root) = try pickle(&position)
        guard case .list(let list) = table[root] else {
            throw damaged(at: start, "the list of storages is \(table.kind(of: root))")
        }
        var keys: [String] = []
        var seen: Set<TextIndex> = []
        for element in table.lists[Int(list)] {
            guard case .text(let key) = table[element] else {
                throw damaged(at: start, "the list of storages holds \(table.kind(of: element))")
            }
            guard seen.insert(key).inserted else {
                throw damaged(at: start, "storage \(Excerpt(table.text(key))) is listed twice")
            }
            keys.append(table.text(key))
        }
        return keys
    }

    /// The storages follow each other in the order of the list; only the pickle tells the size of an element.
    private func extents(
        of keys: [String],
        _ table: ValueTable,
        from start: Int
    ) throws(CheckpointError) -> [TextIndex: ByteExtent] {
        var sizes: [TextIndex: Int] = [:]
        for storage in table.storages {
            guard case .key(let key) = storage.location else { continue }
            sizes[key] = storage.elementType?.byteCount ?? 1
        }
        var extents: [TextIndex: ByteExtent] = [:]
        var position = start
        for name in keys {
            guard let key = table.textIndex(of: name), let size = sizes[key] else {
                throw damaged(at: position, "storage \(Excerpt(name)) belongs to no tensor")
            }
            guard bytes.count - position >= 8 else { throw damaged(at: position, "the file ends before its storages") }
            let count = bytes.integer(Int64.self, at: position)
            let (byteCount, overflow) = count.multipliedReportingOverflow(by: Int64(size))
            position += 8
            guard count >= 0, !overflow, byteCount <= bytes.count - position else {
                throw damaged(
                    at: position,
                    """
                    storage \(Excerpt(name)) has \(count) elements of \(size) bytes, \
                    but the file ends after \(bytes.count - position) bytes
                    """
                )
            }
            extents[key] = ByteExtent(start: position, count: Int(byteCount))
            position += Int(byteCount)
        }
        return extents
    }
}
