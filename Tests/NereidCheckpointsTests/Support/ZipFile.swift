// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A zip archive of stored entries, with the traits of those that torch writes: no sizes in local headers, a data
/// descriptor, and data at multiples of 64 bytes. Each entry can be made to lie.
struct ZipFile {
    struct Entry {
        var name: [UInt8]
        var content: [UInt8]
        var method: UInt16 = 0
        var flags: UInt16 = 0x0808
        /// What the directory says; the truth by default.
        var size: UInt64?
        var storedSize: UInt64?
        var header: UInt64?
        /// The name in the local header.
        var ownName: [UInt8]?
    }

    var entries: [Entry] = []
    /// Whether sizes and positions stand in zip64's fields.
    var isWide = false
    var comment: [UInt8] = []
    /// What the end says; the truth by default.
    var entryCount: UInt64?

    mutating func add(_ name: String, _ content: [UInt8]) {
        entries.append(Entry(name: Array(name.utf8), content: content))
    }

    var bytes: [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let header = UInt64(file.count)
            let name = entry.ownName ?? entry.name
            let padding = (64 - (file.count + 30 + name.count + 4) % 64) % 64
            file += [0x50, 0x4B, 3, 4] + littleEndian(UInt16(0)) + littleEndian(entry.flags)
            file += littleEndian(entry.method) + [UInt8](repeating: 0, count: 16)
            file += littleEndian(UInt16(name.count)) + littleEndian(UInt16(4 + padding)) + name
            file += [0x46, 0x42] + littleEndian(UInt16(padding)) + [UInt8](repeating: 0x5A, count: padding)
            file += entry.content
            file += [0x50, 0x4B, 7, 8] + [UInt8](repeating: 0, count: 12)
            directory += record(entry, header)
        }
        let start = UInt64(file.count)
        file += directory
        file += end(start: start, size: UInt64(directory.count))
        return file
    }

    private func record(_ entry: Entry, _ header: UInt64) -> [UInt8] {
        let fields = [
            entry.size ?? UInt64(entry.content.count), entry.storedSize ?? UInt64(entry.content.count),
            entry.header ?? header,
        ]
        let extra: [UInt8] =
            isWide ? littleEndian(UInt16(1)) + littleEndian(UInt16(24)) + fields.flatMap { littleEndian($0) } : []
        let narrow = fields.map { isWide ? UInt32.max : UInt32(truncatingIfNeeded: $0) }
        var record: [UInt8] = [0x50, 0x4B, 1, 2, 0, 0, 0, 0] + littleEndian(entry.flags)
        record += littleEndian(entry.method) + [UInt8](repeating: 0, count: 8)
        record += littleEndian(narrow[1]) + littleEndian(narrow[0])
        record += littleEndian(UInt16(entry.name.count)) + littleEndian(UInt16(extra.count))
        record += [UInt8](repeating: 0, count: 10) + littleEndian(narrow[2])
        return record + entry.name + extra
    }

    private func end(start: UInt64, size: UInt64) -> [UInt8] {
        let count = entryCount ?? UInt64(entries.count)
        var end: [UInt8] = []
        if isWide {
            end += [0x50, 0x4B, 6, 6] + littleEndian(UInt64(44)) + [UInt8](repeating: 0, count: 12)
            end += littleEndian(count) + littleEndian(count) + littleEndian(size) + littleEndian(start)
            end += [0x50, 0x4B, 6, 7] + littleEndian(UInt32(0)) + littleEndian(start + size) + littleEndian(UInt32(1))
        }
        let narrow = isWide ? UInt16.max : UInt16(truncatingIfNeeded: count)
        end += [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + littleEndian(narrow) + littleEndian(narrow)
        end += littleEndian(isWide ? UInt32.max : UInt32(size))
        end += littleEndian(isWide ? UInt32.max : UInt32(start))
        return end + littleEndian(UInt16(comment.count)) + comment
    }
}
