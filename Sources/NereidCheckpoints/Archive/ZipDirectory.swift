// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Where the central directory of a zip archive stands, and how many entries it says it has.
struct ZipDirectory {
    let start: Int
    let size: Int
    let entryCount: Int

    private static let endLength = 22
    private static let longestComment = 0xFFFF

    /// Finds the directory from the record at the archive's end.
    init(_ bytes: CheckpointBytes, file: String) throws(CheckpointError) {
        guard let end = Self.endRecord(in: bytes) else {
            throw .damaged(
                file: file,
                place: CheckpointPlace(part: nil, byte: bytes.count),
                reason: "the archive's directory is missing, as in a file that was cut short"
            )
        }
        var entryCount = UInt64(bytes.integer(UInt16.self, at: end + 10))
        var size = UInt64(bytes.integer(UInt32.self, at: end + 12))
        var start = UInt64(bytes.integer(UInt32.self, at: end + 16))
        var limit = end
        if let wide = Self.wideEndRecord(in: bytes, before: end) {
            if entryCount == 0xFFFF { entryCount = bytes.integer(UInt64.self, at: wide + 32) }
            if size == 0xFFFF_FFFF { size = bytes.integer(UInt64.self, at: wide + 40) }
            if start == 0xFFFF_FFFF { start = bytes.integer(UInt64.self, at: wide + 48) }
            limit = wide
        }
        guard start <= UInt64(limit), size <= UInt64(limit) - start, entryCount <= size / UInt64(Self.entryLength)
        else {
            throw .damaged(
                file: file,
                place: CheckpointPlace(part: nil, byte: end),
                reason: """
                    the archive's end says \(entryCount) entries in \(size) bytes from byte \(start); \
                    that does not fit into the file
                    """
            )
        }
        self.start = Int(start)
        self.size = Int(size)
        self.entryCount = Int(entryCount)
    }

    private static let entryLength = 46

    /// Reads the entries one after another.
    func entries(_ bytes: CheckpointBytes, file: String) throws(CheckpointError) -> [ZipArchive.Entry] {
        var entries: [ZipArchive.Entry] = []
        entries.reserveCapacity(entryCount)
        var position = start
        let end = start + size
        for _ in 0..<entryCount {
            let place = CheckpointPlace(part: nil, byte: position)
            guard end - position >= Self.entryLength, bytes.starts(with: "PK\u{1}\u{2}", at: position) else {
                throw .damaged(
                    file: file,
                    place: place,
                    reason: "the archive's directory ends after \(entries.count) of \(entryCount) entries"
                )
            }
            let nameLength = Int(bytes.integer(UInt16.self, at: position + 28))
            let extraLength = Int(bytes.integer(UInt16.self, at: position + 30))
            let commentLength = Int(bytes.integer(UInt16.self, at: position + 32))
            let length = Self.entryLength + nameLength + extraLength + commentLength
            guard end - position >= length else {
                throw .damaged(file: file, place: place, reason: "an entry goes beyond the archive's directory")
            }
            let nameStart = position + Self.entryLength
            guard let name = bytes.text(in: ByteExtent(start: nameStart, count: nameLength)) else {
                throw .damaged(file: file, place: place, reason: "the name of an entry is not UTF-8")
            }
            let extra = ByteExtent(start: nameStart + nameLength, count: extraLength)
            guard let extents = Self.extents(bytes, at: position, extra: extra) else {
                throw .damaged(
                    file: file,
                    place: place,
                    reason: "size or position of the entry \(Excerpt(name)) cannot be read"
                )
            }
            entries.append(
                ZipArchive.Entry(
                    name: name,
                    nameLength: nameLength,
                    header: extents.header,
                    size: extents.size,
                    storedSize: extents.storedSize,
                    method: bytes.integer(UInt16.self, at: position + 10),
                    isEncrypted: bytes.integer(UInt16.self, at: position + 8) & 1 != 0
                )
            )
            position += length
        }
        guard position == end else {
            throw .damaged(
                file: file,
                place: CheckpointPlace(part: nil, byte: position),
                reason: "the archive's directory holds more than the \(entryCount) entries that its end tells of"
            )
        }
        return entries
    }

    /// Sizes and position of an entry, from the extra field where the entry itself has no room for them.
    private static func extents(
        _ bytes: CheckpointBytes,
        at position: Int,
        extra: ByteExtent
    ) -> (size: Int, storedSize: Int, header: Int)? {
        let narrow = [24, 20, 42].map { bytes.integer(UInt32.self, at: position + $0) }
        var wide = wideFields(bytes, in: extra)
        var values: [Int] = []
        for value in narrow {
            if value != 0xFFFF_FFFF {
                values.append(Int(value))
            } else {
                guard wide.count >= 8, let value = Int(exactly: bytes.integer(UInt64.self, at: wide.start)) else {
                    return nil
                }
                values.append(value)
                wide = ByteExtent(start: wide.start + 8, count: wide.count - 8)
            }
        }
        return (values[0], values[1], values[2])
    }

    /// The extra field of zip64, which has the number 1.
    private static func wideFields(_ bytes: CheckpointBytes, in extra: ByteExtent) -> ByteExtent {
        var position = extra.start
        while extra.end - position >= 4 {
            let length = Int(bytes.integer(UInt16.self, at: position + 2))
            guard extra.end - position - 4 >= length else { break }
            if bytes.integer(UInt16.self, at: position) == 1 { return ByteExtent(start: position + 4, count: length) }
            position += 4 + length
        }
        return ByteExtent(start: extra.start, count: 0)
    }

    /// The last place that can be the end record: its comment must reach to the file's last byte.
    private static func endRecord(in bytes: CheckpointBytes) -> Int? {
        guard bytes.count >= endLength else { return nil }
        let last = bytes.count - endLength
        for position in stride(from: last, through: max(0, last - longestComment), by: -1)
        where bytes[position] == 0x50 && bytes.starts(with: "PK\u{5}\u{6}", at: position)
            && Int(bytes.integer(UInt16.self, at: position + 20)) == last - position
        {
            return position
        }
        return nil
    }

    /// The zip64 end record, found by its locator that stands right before the end record.
    private static func wideEndRecord(in bytes: CheckpointBytes, before end: Int) -> Int? {
        let locator = end - 20
        guard locator >= 0, bytes.starts(with: "PK\u{6}\u{7}", at: locator),
            let record = Int(exactly: bytes.integer(UInt64.self, at: locator + 8)),
            record <= locator - 56, bytes.starts(with: "PK\u{6}\u{6}", at: record)
        else { return nil }
        return record
    }
}
