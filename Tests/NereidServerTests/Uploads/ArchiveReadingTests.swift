// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import NereidImaging
import Testing

@testable import NereidServer

@Suite("Zips of pictures")
struct ArchiveReadingTests {
    /// A BMP as far as its first bytes tell, which shrinks to nearly nothing.
    static func picture(_ count: Int) -> [UInt8] { Array("BM".utf8) + [UInt8](repeating: 0, count: count - 2) }

    /// Bytes that hardly shrink.
    static func noise(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return Array("BM".utf8) + (0..<count - 2).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    struct Taken {
        var files: [Upload.File] = []
        var skipped = 0
        var portions = 0
        var heldBytes = 0
    }

    /// Takes everything.
    static func take(
        _ bytes: ByteBuffer,
        limits: ArchiveLimits = .init(pictureBytes: 1 << 20, unpackedBytes: 10 << 20),
        memory: UploadMemory = .init(limit: 100 << 20),
        timeout: Duration = .seconds(60)
    ) throws -> Taken {
        var reading = try ArchiveReading(
            bytes,
            limits: limits,
            pictures: limits.pictures,
            unpackedBytes: limits.unpackedBytes,
            deadline: .now + timeout,
            timeout: timeout
        )
        let share = memory.share()
        var taken = Taken()
        while reading.next != nil {
            taken.files += try reading.takeSome(memory: share)
            taken.portions += 1
        }
        taken.skipped = reading.skipped
        taken.heldBytes = withExtendedLifetime(share) { memory.byteCount }
        return taken
    }

    @Test("give their pictures in their order, by their paths, and nothing else")
    func pictures() throws {
        let picture = Array(try TestPicture.blocks().readableBytesView)
        let bytes = try Zip()
            .file("dive/", "").file("dive/b.png", picture, isCompressed: false).file("dive/a.jpg.png", picture)
            .file("notes.txt", "no picture").file("__MACOSX/dive/._b.png", picture).file(".hidden.png", picture)
            .file("Thumbs.db", picture).file("empty.png", "").file("empty", "").file("../../Tauchgänge/c", picture)
            .file("nested.zip", Zip().file("d.png", picture).bytes).bytes
        let taken = try Self.take(bytes)
        #expect(taken.files.map(\.name) == ["dive/b.png", "dive/a.jpg.png", "empty.png", "Tauchgänge/c"])
        // What is empty is a picture by its name only, to be answered with an error.
        let contents = taken.files.map { Array($0.bytes.readableBytesView) }
        #expect(contents == [picture, picture, [], picture])
        // All but the folder.
        #expect(taken.skipped == 6)
        #expect(taken.heldBytes == 3 * picture.count)
    }

    @Test("are known by their first bytes")
    func recognition() throws {
        #expect(ArchiveOutline.recognises(try Zip().file("a", "b").bytes))
        #expect(ArchiveOutline.recognises(Zip.empty))
        for other in ["", "PK", "PK\u{3}", "PK\u{1}\u{2}", "BM"] {
            #expect(!ArchiveOutline.recognises(ByteBuffer(string: other)))
        }
        #expect(try Self.take(Zip.empty).files.isEmpty)
    }

    @Test("are taken in portions, none of which is much more than its size")
    func portions() throws {
        let zip = (0..<20).reduce(Zip()) { zip, number in zip.file("\(number).bmp", Self.picture(1 << 20)) }
        let taken = try Self.take(
            try zip.bytes,
            limits: .init(pictureBytes: 1 << 20, unpackedBytes: 20 << 20)
        )
        #expect(taken.files.count == 20)
        #expect(taken.portions == 2)
    }

    @Test("that are bombs go off nowhere: what comes out counts, not what is said")
    func bombs() throws {
        // 64 MiB in 65 KB.
        let bomb = try Zip().file("bomb.bmp", Self.picture(64 << 20)).bytes
        #expect(bomb.readableBytes < 100_000)
        let memory = UploadMemory(limit: 100 << 20)
        #expect(throws: ArchiveError.pictureTooLarge(file: "bomb.bmp", limit: 1 << 20)) {
            try Self.take(bomb, memory: memory)
        }
        #expect(memory.byteCount == 0)
        // The same with a size that looks harmless.
        let liar = bomb.patched(UInt32(10), at: 24, fromLast: ByteBuffer.directoryRecord)
            .patched(UInt32(10), at: 22, fromLast: ByteBuffer.fileRecord)
        #expect(throws: ArchiveError.self) { try Self.take(liar, memory: memory) }
        #expect(memory.byteCount == 0)
        // Many that are small enough each.
        let many = try (0..<11).reduce(Zip()) { $0.file("\($1).bmp", Self.picture(1 << 20)) }.bytes
        #expect(throws: ArchiveError.tooLarge(limit: 10 << 20)) { try Self.take(many, memory: memory) }
        #expect(throws: UploadError.memoryFull(limit: 5 << 20)) {
            try Self.take(many, memory: UploadMemory(limit: 5 << 20))
        }
        // What is no picture is not unpacked beyond its first bytes.
        let dull = try Zip().file("zeros.txt", [UInt8](repeating: 0, count: 64 << 20)).bytes
        let taken = try Self.take(dull, memory: UploadMemory(limit: 1))
        #expect((taken.files.count, taken.skipped) == (0, 1))
    }

    @Test("may hold so many files and pictures and no more")
    func counts() throws {
        let bytes = try (0..<5).reduce(Zip()) { $0.file("\($1).bmp", Self.picture(10)) }.file("x", "y").bytes
        func limits(_ change: (inout ArchiveLimits) -> Void) -> ArchiveLimits {
            var limits = ArchiveLimits(pictureBytes: 100, unpackedBytes: 1000)
            change(&limits)
            return limits
        }
        #expect(try Self.take(bytes, limits: limits { ($0.pictures, $0.files) = (5, 6) }).files.count == 5)
        #expect(throws: ArchiveError.tooManyPictures(limit: 4)) {
            try Self.take(bytes, limits: limits { $0.pictures = 4 })
        }
        #expect(throws: ArchiveError.tooManyFiles(limit: 5)) { try Self.take(bytes, limits: limits { $0.files = 5 }) }
        #expect(throws: ArchiveError.directoryTooLarge(limit: 100)) {
            try Self.take(bytes, limits: limits { $0.directoryBytes = 100 })
        }
        #expect(throws: ArchiveError.tooSlow(limit: .zero)) { try Self.take(bytes, timeout: .zero) }
    }

    @Test("that say of themselves to be huge are refused before anything is allocated")
    func hostileEnds() throws {
        let limits = ArchiveLimits(pictureBytes: 100, unpackedBytes: 1000)
        let zip = try Zip().file("a.bmp", Self.picture(10)).bytes
        let manyFiles = zip.patched(UInt16(50_000), at: 10, fromLast: ByteBuffer.endRecord)
        #expect(throws: ArchiveError.tooManyFiles(limit: 40_000)) { try ArchiveOutline.check(manyFiles, limits) }
        let largeDirectory = zip.patched(UInt32(9 << 20), at: 12, fromLast: ByteBuffer.endRecord)
        #expect(throws: ArchiveError.directoryTooLarge(limit: 8 << 20)) {
            try ArchiveOutline.check(largeDirectory, limits)
        }
        // Behind a second end that looks harmless.
        var two = manyFiles
        two.writeImmutableBuffer(Zip.empty)
        #expect(throws: ArchiveError.tooManyFiles(limit: 40_000)) { try ArchiveOutline.check(two, limits) }
        // With sizes of 64 bits, in a record that the locator leads to.
        func wide(files: UInt64, directory: UInt64, offset: UInt64) -> ByteBuffer {
            var bytes = ByteBuffer()
            bytes.writeMultipleIntegers(UInt32(0x0606_4B50), UInt64(44), UInt32(0), UInt64(0), endianness: .little)
            bytes.writeMultipleIntegers(UInt64(0), files, directory, UInt64(0), endianness: .little)
            bytes.writeMultipleIntegers(UInt32(0x0706_4B50), UInt32(0), offset, UInt32(1), endianness: .little)
            bytes.writeMultipleIntegers(
                ByteBuffer.endRecord,
                UInt32(0),
                UInt32.max,
                UInt32.max,
                UInt32.max,
                UInt16(0),
                endianness: .little
            )
            return bytes
        }
        #expect(throws: ArchiveError.tooManyFiles(limit: 40_000)) {
            try ArchiveOutline.check(wide(files: .max, directory: 0, offset: 0), limits)
        }
        #expect(throws: ArchiveError.directoryTooLarge(limit: 8 << 20)) {
            try ArchiveOutline.check(wide(files: 1, directory: 1 << 62, offset: 0), limits)
        }
        for offset in [UInt64(1), 1 << 40, .max] {
            #expect(throws: Never.self) {
                try ArchiveOutline.check(wide(files: 1, directory: 1, offset: offset), limits)
            }
            #expect(throws: ArchiveError.self) { try Self.take(wide(files: 1, directory: 1, offset: offset)) }
        }
    }

    /// A zip put together by hand: files of stored bytes, and for each name in the table of contents which of them it is.
    static func overlapping(_ entries: [(name: String, file: Int)], files: [[UInt8]], shift: Int = 0) -> ByteBuffer {
        var zip = ByteBuffer()
        var offsets: [Int] = []
        for file in files {
            offsets.append(zip.writerIndex)
            zip.writeMultipleIntegers(ByteBuffer.fileRecord, UInt16(20), UInt16(0), UInt16(0), endianness: .little)
            zip.writeInteger(UInt32(0), endianness: .little)
            zip.writeMultipleIntegers(checksum(file), UInt32(file.count), UInt32(file.count), endianness: .little)
            zip.writeMultipleIntegers(UInt16(1), UInt16(0), endianness: .little)
            zip.writeString("x")
            zip.writeBytes(file)
        }
        let directory = zip.writerIndex
        for (name, index) in entries {
            let size = UInt32(files[index].count)
            zip.writeMultipleIntegers(ByteBuffer.directoryRecord, UInt16(20), UInt16(20), endianness: .little)
            zip.writeInteger(UInt16(0), endianness: .little)
            zip.writeMultipleIntegers(UInt16(0), UInt32(0), checksum(files[index]), size, size, endianness: .little)
            zip.writeMultipleIntegers(UInt16(name.utf8.count), UInt16(0), UInt16(0), UInt16(0), endianness: .little)
            zip.writeMultipleIntegers(UInt16(0), UInt32(0), UInt32(offsets[index] + shift), endianness: .little)
            zip.writeString(name)
        }
        let (length, count) = (zip.writerIndex - directory, UInt16(entries.count))
        zip.writeMultipleIntegers(ByteBuffer.endRecord, UInt16(0), UInt16(0), count, count, endianness: .little)
        zip.writeMultipleIntegers(UInt32(length), UInt32(directory), UInt16(0), endianness: .little)
        return zip
    }

    /// CRC-32 (ISO 3309), bit by bit.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum >> 1 ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
    }

    @Test("whose files share bytes are refused before anything is unpacked")
    func overlaps() throws {
        let (one, other) = (Self.picture(3000), Self.picture(2000))
        // Without sharing, such a zip is one like others.
        let sound = Self.overlapping([("b.bmp", 1), ("a.bmp", 0)], files: [one, other])
        #expect(try Self.take(sound).files.map(\.bytes.readableBytes) == [2000, 3000])
        // Many names for one file.
        let many = Self.overlapping((0..<800).map { ("\($0).bmp", 0) }, files: [one])
        let memory = UploadMemory(limit: 1)
        #expect(throws: ArchiveError.overlapping(file: "1.bmp")) { try Self.take(many, memory: memory) }
        // One file within another's data.
        let inner = Self.overlapping([("x.bmp", 0)], files: [other])
        let nested = Array("BM".utf8) + Array(inner.readableBytesView.prefix(2031))
        var quoted = Self.overlapping([("a.bmp", 0), ("b.bmp", 1)], files: [nested, other])
        #expect(try Self.take(quoted).files.count == 2)
        let place = try #require(quoted.readableBytesView.lastIndex(of: UInt8(ascii: "b")).map { $0 - 6 })
        quoted.setInteger(UInt32(33), at: place, endianness: .little)
        #expect(throws: ArchiveError.overlapping(file: "b.bmp")) { try Self.take(quoted) }
        // A file that reaches into the table of contents.
        let long = sound.patched(UInt32(2001), at: 20, fromLast: ByteBuffer.directoryRecord)
        #expect(throws: ArchiveError.self) { try Self.take(long) }
        let reaching = Self.overlapping([("a.bmp", 0)], files: [one])
            .patched(UInt32(3001), at: 20, fromLast: ByteBuffer.directoryRecord)
        #expect(throws: ArchiveError.overlapping(file: "a.bmp")) { try Self.take(reaching) }
        #expect(ArchiveError.overlapping(file: "a.bmp").description.contains("‘a.bmp’ in the zip shares its bytes"))
    }

    @Test("with many tables of contents are refused: each one would have to be looked at")
    func manyDirectories() throws {
        var bytes = try Zip().file("a.bmp", Self.picture(100)).bytes
        for number in UInt32(0)..<20 {
            bytes.writeMultipleIntegers(ByteBuffer.endRecord, UInt16(0), UInt16(0), UInt16(1), endianness: .little)
            bytes.writeMultipleIntegers(UInt16(1), UInt32(46), number, UInt16(0), endianness: .little)
        }
        let error = #expect(throws: ArchiveError.self) { try Self.take(bytes) }
        #expect(error?.description.contains("tables of contents") == true)
    }

    @Test("are unpacked no further once their time is over")
    func limit() throws {
        let bytes = try (0..<4).reduce(Zip()) { $0.file("\($1).bmp", Self.picture(1000)) }.bytes
        let limits = ArchiveLimits(pictureBytes: 1 << 20, unpackedBytes: 10 << 20)
        func start() throws -> ArchiveReading {
            try ArchiveReading(
                bytes,
                limits: limits,
                pictures: 10,
                unpackedBytes: limits.unpackedBytes,
                deadline: .now + .seconds(3600),
                timeout: .seconds(3600)
            )
        }
        for checks in 0..<8 {
            var reading = try start()
            #expect(throws: ImagingError.deadlinePassed) {
                try reading.takeSome(memory: UploadMemory(limit: 1 << 20).share(), limit: .ending(after: checks))
            }
        }
    }

    @Test("that are encrypted, damaged or written in ways unknown here are refused, naming the file")
    func unreadable() throws {
        let secret = try Zip().file("reef.bmp", Self.picture(100), isEncrypted: true).bytes
        #expect(throws: ArchiveError.encrypted(file: "reef.bmp")) { try Self.take(secret) }
        let odd = try Zip().file("reef.bmp", Self.picture(100)).bytes
            .patched(UInt16(1), at: 10, fromLast: ByteBuffer.directoryRecord)
            .patched(UInt16(1), at: 8, fromLast: ByteBuffer.fileRecord)
        #expect(throws: ArchiveError.unknownCompression(file: "reef.bmp")) { try Self.take(odd) }
        // A changed byte of content is noticed by the checksum, whatever it is packed with.
        var changed = try Zip().file("reef.bmp", Self.noise(5000), isCompressed: false).bytes
        changed.setInteger(changed.getInteger(at: 3000, as: UInt8.self)! ^ 0xFF, at: 3000)
        let error = #expect(throws: ArchiveError.self) { try Self.take(changed) }
        #expect(error?.description.contains("‘reef.bmp’ in the zip can't be read: ") == true)
        for cut in [4, 30, 200] {
            let whole = try Zip().file("reef.bmp", Self.noise(500)).bytes
            let error = #expect(throws: ArchiveError.self) {
                try Self.take(whole.getSlice(at: 0, length: whole.readableBytes - cut)!)
            }
            #expect(error?.description.hasPrefix("the zip can't be read: ") == true)
        }
    }

    @Test("that are mutated at random are read or refused, and never worse")
    func mutations() throws {
        let whole = try Zip().file("a/", "").file("a/b.bmp", Self.noise(300)).file("c.bmp", Self.picture(4000)).bytes
        var generator = SystemRandomNumberGenerator()
        var (read, refused) = (0, 0)
        for _ in 0..<3000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes.setInteger(
                    UInt8.random(in: .min ... .max, using: &generator),
                    at: Int.random(in: 0..<bytes.readableBytes, using: &generator)
                )
            }
            do {
                _ = try Self.take(bytes, limits: .init(pictureBytes: 10_000, unpackedBytes: 20_000))
                read += 1
            } catch is ArchiveError {
                refused += 1
            }
        }
        #expect(read > 0 && refused > 0)
    }
}
