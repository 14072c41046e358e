// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints

/// A checkpoint that a test writes, byte by byte, in each of the containers.
struct SavedCheckpoint {
    var pickle: PickleWriter

    init(_ root: Pickled, protocolVersion: UInt8 = 2) {
        pickle = PickleWriter.pickle(root, protocolVersion: protocolVersion)
    }

    /// As `torch.save` writes since PyTorch 1.6.
    func zip(byteOrder: String? = "little", wide: Bool = false) -> [UInt8] {
        zipFile(byteOrder: byteOrder, wide: wide).bytes
    }

    func zipFile(byteOrder: String? = "little", wide: Bool = false) -> ZipFile {
        var file = ZipFile(isWide: wide)
        file.add("archive/data.pkl", pickle.bytes)
        if let byteOrder { file.add("archive/byteorder", Array(byteOrder.utf8)) }
        for storage in pickle.storages { file.add("archive/data/\(storage.key)", storage.bytes) }
        file.add("archive/version", Array("3\n".utf8))
        return file
    }

    /// As `torch.save` wrote before PyTorch 1.6.
    func legacy(littleEndian isLittle: Bool = true, keys: [String]? = nil) -> [UInt8] {
        var file = Self.magicNumber
        file += PickleWriter.pickle(.integer(1001)).bytes
        file +=
            PickleWriter.pickle(
                .entries(["protocol_version": .integer(1001), "little_endian": .boolean(isLittle)])
            ).bytes
        file += pickle.bytes
        file += PickleWriter.pickle(.list((keys ?? pickle.storages.map(\.key)).map { .text($0) })).bytes
        for storage in pickle.storages { file += littleEndian(storage.count) + storage.bytes }
        return file
    }

    static let magicNumber: [UInt8] = [
        0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
    ]

    /// Opens the zip archive.
    func open(limits: CheckpointLimits = CheckpointLimits()) throws -> Checkpoint {
        try Checkpoint(contents: zip(), name: "test.pt", limits: limits)
    }

    /// Opens a zip archive whose pickle has these opcodes after its header, and STOP behind them.
    static func opening(
        opcodes: [UInt8],
        limits: CheckpointLimits = CheckpointLimits()
    ) throws -> Checkpoint {
        try SavedCheckpoint(.opcodes(opcodes)).open(limits: limits)
    }
}
