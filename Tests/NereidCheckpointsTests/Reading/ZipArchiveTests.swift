// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import Testing

/// A change that makes an archive contradict itself, and what is said about it.
struct ArchiveLie: Sendable, CustomTestStringConvertible {
    let message: String
    let change: @Sendable (inout ZipFile) -> Void

    init(_ message: String, _ change: @escaping @Sendable (inout ZipFile) -> Void) {
        self.message = message
        self.change = change
    }

    var testDescription: String { message }

    static let all: [ArchiveLie] = [
        ArchiveLie("its entry ‘archive/data/0’, it is compressed (zip method 8)") { $0.entries[1].method = 8 },
        ArchiveLie("its entry ‘archive/data.pkl’, it is encrypted") { $0.entries[0].flags |= 1 },
        ArchiveLie("the archive gives two sizes for a stored entry") { $0.entries[1].size = 4 },
        ArchiveLie("storage ‘0’ is said to have 8 bytes, but has 4") {
            $0.entries[1].size = 4
            $0.entries[1].storedSize = 4
        },
        ArchiveLie("2147483648 bytes from byte") {
            $0.entries[1].size = 1 << 31
            $0.entries[1].storedSize = 1 << 31
        },
        ArchiveLie("overlap another entry") { $0.entries[1].header = 0 },
        ArchiveLie("go beyond the archive's") { $0.entries[1].header = 1 << 30 },
        ArchiveLie("size or position of the entry ‘archive/version’ cannot be read") {
            $0.entries[2].header = 0xFFFF_FFFF
        },
        ArchiveLie("its own header contradicts the archive's") { $0.entries[1].ownName = Array("archive/data/1".utf8) },
        ArchiveLie("the name of an entry is not UTF-8") { $0.entries[1].name = [0xFF] },
        ArchiveLie("the archive has no entry for it") {
            $0.entries[1].name = Array("archive/data/9".utf8)
        },
        ArchiveLie("holds more than the 2 entries that its end tells of") { $0.entryCount = 2 },
        ArchiveLie("the archive's directory ends after 3 of 4 entries") {
            $0.entryCount = 4
            $0.entries[2].name = [UInt8](repeating: 0x61, count: 50)
        },
        ArchiveLie("the archive's end says 65000 entries") { $0.entryCount = 65_000 },
    ]

    static let wide: [ArchiveLie] = [
        ArchiveLie("size or position of the entry") { $0.entries[1].header = .max },
        ArchiveLie("size or position of the entry") { $0.entries[1].size = 1 << 63 },
        ArchiveLie("overlap another entry") { $0.entries[1].storedSize = .max / 2 },
        ArchiveLie("go beyond the archive's") { $0.entries[1].header = UInt64(Int.max) },
        ArchiveLie("the archive's end says 18446744073709551615 entries") { $0.entryCount = .max },
    ]
}

struct ZipArchiveTests {
    private static var file: ZipFile {
        SavedCheckpoint(.tensor(SavedStorage(floats: [1, 2]), shape: [2])).zipFile(byteOrder: nil)
    }

    private func error(_ contents: [UInt8], limits: CheckpointLimits = CheckpointLimits()) throws -> CheckpointError {
        try #require(
            #expect(throws: CheckpointError.self) {
                try Checkpoint(contents: contents, name: "test.pt", limits: limits)
            }
        )
    }

    @Test func readsCommentBehindTheEnd() throws {
        var file = Self.file
        file.comment = Array("PK\u{5}\u{6} is not the end".utf8)
        #expect(try Checkpoint(contents: file.bytes, name: "test.pt").root.tensor?.floats() == [1, 2])
    }

    @Test(arguments: ArchiveLie.all)
    func refuses(lie: ArchiveLie) throws {
        var file = Self.file
        lie.change(&file)
        #expect(try error(file.bytes).description.contains(lie.message))
    }

    @Test(arguments: ArchiveLie.wide)
    func refusesWide(lie: ArchiveLie) throws {
        var file = Self.file
        file.isWide = true
        lie.change(&file)
        #expect(try error(file.bytes).description.contains(lie.message))
    }

    @Test func saysThatAHeaderIsMissing() throws {
        var bytes = Self.file.bytes
        bytes[2] = 9
        // The file is still taken for an archive by its end when its start says so.
        #expect(try error(bytes).description.contains("a file of an unknown kind"))
        var file = Self.file
        file.entries[1].header = 100
        #expect(try error(file.bytes).description.contains("overlap another entry"))
    }

    @Test func refusesEveryLength() throws {
        let whole = Self.file.bytes
        for count in 0..<whole.count { _ = try error(Array(whole[..<count])) }
    }

    @Test func boundsEntries() throws {
        var limits = CheckpointLimits()
        limits.archiveEntries = 2
        #expect(try error(Self.file.bytes, limits: limits).description.contains("more than 2 entries in its archive"))
    }
}

struct LegacyArchiveTests {
    private static let saved = SavedCheckpoint(
        .list([
            .tensor(SavedStorage(floats: [1, 2]), shape: [2]),
            .tensor(SavedStorage(key: "1", "HalfStorage", count: 1, bytes: [0, 0x3C]), shape: [1]),
        ])
    )

    private func error(_ contents: [UInt8]) throws -> CheckpointError {
        try #require(#expect(throws: CheckpointError.self) { try Checkpoint(contents: contents, name: "test.pt") })
    }

    @Test func refusesAnotherMagicNumberOrVersion() throws {
        var file = Self.saved.legacy()
        file[4] ^= 1
        #expect(try error(file).description.contains("a pickle of a number that is not torch's magic number"))
        let other = SavedCheckpoint.magicNumber + PickleWriter.pickle(.integer(1002)).bytes
        #expect(try error(other).description.contains("at byte 15, its format is not version 1001"))
    }

    @Test func refusesContradictoryParts() throws {
        #expect(
            try error(Self.saved.legacy(keys: ["0"])).description.contains("storage ‘1’ is named, but the file does")
        )
        #expect(try error(Self.saved.legacy(keys: ["0", "0"])).description.contains("storage ‘0’ is listed twice"))
        #expect(try error(Self.saved.legacy(keys: ["x"])).description.contains("storage ‘x’ belongs to no tensor"))
        let head = SavedCheckpoint.magicNumber + PickleWriter.pickle(.integer(1001)).bytes
        let facts = PickleWriter.pickle(.dictionary([])).bytes
        #expect(try error(head + PickleWriter.pickle(.none).bytes).description.contains("wrote it are None"))
        let object = head + facts + Self.saved.pickle.bytes
        #expect(
            try error(object + PickleWriter.pickle(.none).bytes).description.contains("the list of storages is None")
        )
        #expect(
            try error(object + PickleWriter.pickle(.list([.integer(1)])).bytes).description
                .contains("the list of storages holds an integer")
        )
        let listed = object + PickleWriter.pickle(.list([.text("0")])).bytes
        for count in [-1, Int.max, 1 << 40, 3] {
            #expect(
                try error(listed + littleEndian(count) + [0, 0, 0, 0]).description
                    .contains("storage ‘0’ has \(count) elements of 4 bytes")
            )
        }
    }

    @Test func refusesEveryLength() throws {
        let whole = Self.saved.legacy()
        for count in 0..<whole.count { _ = try error(Array(whole[..<count])) }
    }

    @Test func readsViewsOfStoragesAndClassesWithSource() throws {
        let identity = Pickled.tuple([
            .text("storage"), .name("torch", "FloatStorage"), .text("0"), .text("cpu"), .integer(4),
            .tuple([.text("view"), .integer(1), .integer(2)]),
        ])
        var saved = SavedCheckpoint(.tensor(SavedStorage(floats: [1, 2, 3, 4]), shape: [4]))
        var root = PickleWriter()
        root.write(.list([]))
        root.write(
            .tuple([.text("module"), .name("models.common", "Conv"), .text("common.py"), .text("class Conv: …")])
        )
        root.write(opcodes: [0x51, 0x61])
        root.write(.name("torch._utils", "_rebuild_tensor_v2"))
        root.write(opcodes: [0x28])
        root.write(identity)
        root.write(opcodes: [0x51])
        for value in [Pickled.integer(0), .integers([2]), .integers([1])] { root.write(value) }
        root.write(opcodes: [0x74, 0x52, 0x61])
        root.write(.tensor(SavedStorage(floats: [1, 2, 3, 4]), shape: [4]))
        root.write(opcodes: [0x61, 0x2E])
        saved.pickle = root
        let value = try Checkpoint(contents: saved.legacy(), name: "test.pt").root
        #expect(value[0]?.name?.description == "models.common.Conv")
        #expect(try value[1]?.tensor?.floats() == [2, 3])
        #expect(try value[2]?.tensor?.floats() == [1, 2, 3, 4])
    }
}
