// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The entries of a zip archive, found by its central directory (PKWARE APPNOTE 6.3, zip64 included).
///
/// Local headers are not asked for sizes: the writers of checkpoints put zeros there and a data descriptor behind the
/// data. Checksums are not compared, as writers may be told to leave them out.
struct ZipArchive {
    struct Entry {
        let name: String
        let nameLength: Int
        let header: Int
        let size: Int
        let storedSize: Int
        let method: UInt16
        let isEncrypted: Bool
    }

    /// In the order of the central directory.
    let entries: [Entry]

    private let positions: [ExactText: Int]
    private let directoryStart: Int
    private let bytes: CheckpointBytes
    private let file: String

    /// Reads the central directory and checks that every entry lies in the file and none overlaps another.
    ///
    /// - Throws: ``CheckpointError/damaged(file:place:reason:)`` or
    ///   ``CheckpointError/limitExceeded(file:place:what:limit:)``.
    init(_ bytes: CheckpointBytes, file: String, limits: CheckpointLimits) throws(CheckpointError) {
        let directory = try ZipDirectory(bytes, file: file)
        guard directory.entryCount <= limits.archiveEntries else {
            throw .limitExceeded(
                file: file,
                place: CheckpointPlace(part: nil, byte: directory.start),
                what: "entries in its archive",
                limit: limits.archiveEntries
            )
        }
        entries = try directory.entries(bytes, file: file)
        var positions: [ExactText: Int] = [:]
        for (position, entry) in entries.enumerated() {
            guard positions.updateValue(position, forKey: ExactText(entry.name)) == nil else {
                throw .damaged(
                    file: file,
                    place: CheckpointPlace(part: nil, byte: entry.header),
                    reason: "two entries of the archive are named \(Excerpt(entry.name))"
                )
            }
        }
        self.positions = positions
        directoryStart = directory.start
        self.bytes = bytes
        self.file = file
        try checkThatEntriesAreApart()
    }

    func contains(_ name: String) -> Bool { positions[ExactText(name)] != nil }

    /// Finds the bytes of an entry in the file; `nil` when there is no such entry.
    ///
    /// - Throws: ``CheckpointError/unsupported(file:place:feature:advice:)`` when it is compressed or encrypted;
    ///   ``CheckpointError/damaged(file:place:reason:)``.
    func contents(of name: String) throws(CheckpointError) -> ByteExtent? {
        guard let position = positions[ExactText(name)] else { return nil }
        let entry = entries[position]
        let place = CheckpointPlace(part: name, byte: nil)
        guard !entry.isEncrypted, entry.method == 0 else {
            throw .unsupported(
                file: file,
                place: place,
                feature: entry.isEncrypted ? "it is encrypted" : "it is compressed (zip method \(entry.method))",
                advice: "torch.save stores entries as they are: unpack it, and pack it again without (zip -0)"
            )
        }
        guard entry.size == entry.storedSize else {
            throw .damaged(file: file, place: place, reason: "the archive gives two sizes for a stored entry")
        }
        guard bytes.starts(with: "PK\u{3}\u{4}", at: entry.header) else {
            throw .damaged(file: file, place: place, reason: "the archive points to no entry at byte \(entry.header)")
        }
        // The directory was checked to lie behind the fixed part of each header.
        let nameLength = Int(bytes.integer(UInt16.self, at: entry.header + 26))
        let extraLength = Int(bytes.integer(UInt16.self, at: entry.header + 28))
        let start = entry.header + Self.headerLength + nameLength + extraLength
        guard start <= directoryStart, entry.size <= directoryStart - start,
            nameLength == entry.nameLength,
            bytes.text(in: ByteExtent(start: entry.header + Self.headerLength, count: nameLength)) == name
        else {
            throw .damaged(file: file, place: place, reason: "its own header contradicts the archive's directory")
        }
        return ByteExtent(start: start, count: entry.size)
    }

    private static let headerLength = 30

    private func checkThatEntriesAreApart() throws(CheckpointError) {
        var end = 0
        for entry in entries.sorted(by: { $0.header < $1.header }) {
            let least = Self.headerLength + entry.nameLength
            let room = directoryStart - entry.header
            guard entry.header >= end, room >= least, entry.storedSize <= room - least else {
                throw .damaged(
                    file: file,
                    place: CheckpointPlace(part: entry.name, byte: nil),
                    reason: """
                        \(entry.storedSize) bytes from byte \(entry.header) of the file overlap another entry or go \
                        beyond the archive's \(directoryStart) bytes
                        """
                )
            }
            end = entry.header + least + entry.storedSize
        }
    }
}
