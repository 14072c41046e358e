// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// What a zip says of its size at its end, looked at before anything is allocated by what it says.
///
/// Whoever reads a zip searches its end for a record and believes it (APPNOTE.TXT 4.3.16); a hostile one holds several. So
/// every place that could be that record is held to the limits.
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

    /// Checks the number of files and the size of the table of contents.
    ///
    /// - Throws: ``ArchiveError/tooManyFiles(limit:)``, ``ArchiveError/directoryTooLarge(limit:)``.
    static func check(_ bytes: ByteBuffer, _ limits: ArchiveLimits) throws(ArchiveError) {
        let bytes = bytes.slice()
        let tail = bytes.readableBytesView.suffix(searchLength)
        guard tail.count >= endRecordLength else { return }
        var place = tail.startIndex
        while let found = tail[place...].firstIndex(of: 0x50) {
            place = found + 1
            guard bytes.getInteger(at: found, endianness: .little, as: UInt32.self) == 0x0605_4B50 else { continue }
            try check(
                files: UInt64(bytes.getInteger(at: found + 10, endianness: .little, as: UInt16.self) ?? 0),
                directory: UInt64(bytes.getInteger(at: found + 12, endianness: .little, as: UInt32.self) ?? 0),
                isWide: false,
                limits
            )
            try checkWide(bytes, locator: found - wideLocatorLength, limits)
        }
    }

    /// Checks the record of a zip with 64-bit sizes, which a locator before the other record leads to.
    private static func checkWide(
        _ bytes: ByteBuffer,
        locator: Int,
        _ limits: ArchiveLimits
    ) throws(ArchiveError) {
        guard locator >= 0, bytes.getInteger(at: locator, endianness: .little, as: UInt32.self) == 0x0706_4B50,
            let offset = bytes.getInteger(at: locator + 8, endianness: .little, as: UInt64.self),
            let record = Int(exactly: offset), record <= bytes.readableBytes - wideRecordLength,
            bytes.getInteger(at: record, endianness: .little, as: UInt32.self) == 0x0606_4B50
        else { return }
        try check(
            files: bytes.getInteger(at: record + 32, endianness: .little, as: UInt64.self) ?? 0,
            directory: bytes.getInteger(at: record + 40, endianness: .little, as: UInt64.self) ?? 0,
            isWide: true,
            limits
        )
    }

    private static func check(
        files: UInt64,
        directory: UInt64,
        isWide: Bool,
        _ limits: ArchiveLimits
    ) throws(ArchiveError) {
        // All bits set means that the number stands in the other record.
        if isWide || files != 0xFFFF, files > limits.files { throw .tooManyFiles(limit: limits.files) }
        if isWide || directory != 0xFFFF_FFFF, directory > limits.directoryBytes {
            throw .directoryTooLarge(limit: limits.directoryBytes)
        }
    }
}
