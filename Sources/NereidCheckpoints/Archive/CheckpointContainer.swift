// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a checkpoint keeps its pickle and its numbers.
public enum CheckpointContainer: String, Sendable, Hashable, CaseIterable {
    /// A zip archive of a pickle and one entry for each storage, as `torch.save` writes since PyTorch 1.6.
    case zip
    /// Five pickles one after another, then the storages, as `torch.save` wrote before.
    case legacy
    /// One pickle that holds NumPy arrays, as in Detectron2's model zoo.
    case pickle
}

/// What reading a checkpoint's container gives.
struct CheckpointContent {
    let container: CheckpointContainer
    let table: ValueTable
    let root: ValueIndex

    /// Recognises the container and reads it.
    ///
    /// - Throws: ``CheckpointError``.
    init(_ bytes: CheckpointBytes, file: String, limits: CheckpointLimits) throws(CheckpointError) {
        switch FileKind(bytes) {
        case .zip: self = try TorchArchive(bytes, file: file, limits: limits).read()
        case .legacy: self = try LegacyArchive(bytes, file: file, limits: limits).read()
        case .pickle: self = try Self.barePickle(bytes, file: file, limits: limits)
        case .foreign(let found, let advice): throw .notACheckpoint(file: file, found: found, advice: advice)
        }
    }

    init(container: CheckpointContainer, table: ValueTable, root: ValueIndex) {
        self.container = container
        self.table = table
        self.root = root
    }

    private static func barePickle(
        _ bytes: CheckpointBytes,
        file: String,
        limits: CheckpointLimits
    ) throws(CheckpointError) -> Self {
        let part = CheckpointPart(file: file, name: nil, extent: ByteExtent(start: 0, count: bytes.count))
        var machine = PickleMachine(bytes, part: part, into: ValueTable(), limits: limits)
        let root = try machine.run()
        guard machine.cursor.remaining == 0 else {
            throw part.damaged(
                at: machine.cursor.position,
                """
                \(machine.cursor.remaining) bytes follow the end of the first pickle, \
                which is not that of a file of torch.save
                """
            )
        }
        try machine.table.locateStorages(of: part) { (_, place) throws(CheckpointError) in
            throw .damaged(file: file, place: place, reason: "a tensor's storage is not in the file")
        }
        guard !machine.table.tensors.isEmpty else {
            throw .notACheckpoint(
                file: file,
                found: "a pickle without a single tensor",
                advice: "give the checkpoint that the training wrote"
            )
        }
        return Self(container: .pickle, table: machine.table, root: root)
    }
}

extension ValueTable {
    /// Finds the bytes of every storage that the pickle names by a key.
    ///
    /// - Parameters:
    ///   - part: Where the pickle stands.
    ///   - find: Gives the bytes of a key; the place is that where the pickle first names it.
    mutating func locateStorages(
        of part: CheckpointPart,
        _ find: (TextIndex, CheckpointPlace) throws(CheckpointError) -> ByteExtent
    ) throws(CheckpointError) {
        // A key is looked up once, however many storages it stands for: it may be long.
        var found: [TextIndex: ByteExtent] = [:]
        for position in storages.indices {
            guard case .key(let key) = storages[position].location else { continue }
            let storage = storages[position]
            let place = part.place(storage.mention.position)
            let extent: ByteExtent
            if let known = found[key] {
                extent = known
            } else {
                extent = try find(key, place)
                found[key] = extent
            }
            guard storage.byteOffset <= extent.count, storage.byteCount <= extent.count - storage.byteOffset else {
                throw .damaged(
                    file: part.file,
                    place: place,
                    reason: """
                        storage \(Excerpt(text(key))) is said to have \(storage.byteOffset + storage.byteCount) bytes, \
                        but has \(extent.count)
                        """
                )
            }
            storages[position].location = .file(
                ByteExtent(start: extent.start + storage.byteOffset, count: storage.byteCount)
            )
        }
    }
}
