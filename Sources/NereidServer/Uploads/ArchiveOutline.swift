// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// What a zip says of its size at its end, looked at before anything is allocated by what it says.
///
/// Programs that read a zip search its end for a record and trust it (APPNOTE.TXT 4.3.16); a hostile zip holds several. So
/// every place that could be that record is held to the limits, and every table of contents that one leads to is checked for
/// files that share bytes.
enum ArchiveOutline {
    private static let endRecordLength = 22
    private static let wideLocatorLength = 20
    private static let wideRecordLength = 56
    /// A comment of 65,535 bytes may follow the record.
    private static let searchLength = 0xFFFF + endRecordLength + wideLocatorLength

    /// Whether the bytes begin as a zip does: with a file, or with the end of an empty one.
    static func recognises(_ bytes: ByteBuffer) -> Bool {
        let signature = bytes.getInteger(at: bytes.readerIndex, endianness: .little, as: UInt32.self)
        return signature == 0x0403_4B50 || signature == 0x0605_4B50
    }

    /// Tables of contents that are checked: a zip has one, and a comment might look like the record of another.
    private static let mostDirectories = 8

    /// Checks the number of files, the size of the table of contents, and that no two files share bytes.
    ///
    /// - Throws: ``ArchiveError/tooManyFiles(limit:)``, ``ArchiveError/directoryTooLarge(limit:)``,
    ///   ``ArchiveError/overlapping(file:)``, ``ArchiveError/damaged(file:reason:)``.
    static func check(_ bytes: ByteBuffer, _ limits: ArchiveLimits) throws(ArchiveError) {
        let bytes = bytes.slice()
        let tail = bytes.readableBytesView.suffix(searchLength)
        guard tail.count >= endRecordLength else { return }
        var directories: Set<ArchiveDirectory> = []
        var place = tail.startIndex
        while let found = tail[place...].firstIndex(of: 0x50) {
            place = found + 1
            guard bytes.getInteger(at: found, endianness: .little, as: UInt32.self) == 0x0605_4B50 else { continue }
            let directory = ArchiveDirectory(
                offset: UInt64(bytes.getInteger(at: found + 16, endianness: .little, as: UInt32.self) ?? 0),
                length: UInt64(bytes.getInteger(at: found + 12, endianness: .little, as: UInt32.self) ?? 0),
                files: UInt64(bytes.getInteger(at: found + 10, endianness: .little, as: UInt16.self) ?? 0)
            )
            try check(directory, isWide: false, limits)
            directories.insert(directory)
            if let wide = wideDirectory(bytes, locator: found - wideLocatorLength) {
                try check(wide, isWide: true, limits)
                directories.insert(wide)
            }
            guard directories.count <= mostDirectories else {
                throw .damaged(file: nil, reason: "it has more than \(mostDirectories) tables of contents")
            }
        }
        for directory in directories { try directory.checkOverlaps(in: bytes) }
    }

    /// The record of a zip with 64-bit sizes, which a locator before the other record leads to.
    private static func wideDirectory(_ bytes: ByteBuffer, locator: Int) -> ArchiveDirectory? {
        guard locator >= 0, bytes.getInteger(at: locator, endianness: .little, as: UInt32.self) == 0x0706_4B50,
            let offset = bytes.getInteger(at: locator + 8, endianness: .little, as: UInt64.self),
            let record = Int(exactly: offset), record <= bytes.readableBytes - wideRecordLength,
            bytes.getInteger(at: record, endianness: .little, as: UInt32.self) == 0x0606_4B50
        else { return nil }
        return ArchiveDirectory(
            offset: bytes.getInteger(at: record + 48, endianness: .little, as: UInt64.self) ?? 0,
            length: bytes.getInteger(at: record + 40, endianness: .little, as: UInt64.self) ?? 0,
            files: bytes.getInteger(at: record + 32, endianness: .little, as: UInt64.self) ?? 0
        )
    }

    private static func check(
        _ directory: ArchiveDirectory,
        isWide: Bool,
        _ limits: ArchiveLimits
    ) throws(ArchiveError) {
        // All bits set means that the number is in the other record.
        if isWide || directory.files != 0xFFFF, directory.files > limits.files {
            throw .tooManyFiles(limit: limits.files)
        }
        if isWide || directory.length != 0xFFFF_FFFF, directory.length > limits.directoryBytes {
            throw .directoryTooLarge(limit: limits.directoryBytes)
        }
    }
}
