// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// Where a zip's table of contents is, as one of its records says (APPNOTE.TXT 4.3.12, 4.3.7).
struct ArchiveDirectory: Hashable {
    let offset: UInt64
    let length: UInt64
    let files: UInt64

    /// Where a file's header and data are.
    private struct Extent {
        let start: UInt64
        let end: UInt64
        let name: String
    }

    private static let entryLength = 46
    private static let headerLength = 30

    /// Checks that no two files share bytes, and none shares them with the table of contents.
    ///
    /// One small piece of data that many files point at would be unpacked many times (“A better zip bomb”, Fifield 2019). A
    /// table that can't be read is left to libzip, which refuses it.
    ///
    /// - Throws: ``ArchiveError/overlapping(file:)``.
    func checkOverlaps(in bytes: ByteBuffer) throws(ArchiveError) {
        var end: UInt64 = 0
        for extent in extents(in: bytes).sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
            guard extent.start >= end, extent.end <= offset else { throw .overlapping(file: extent.name) }
            end = extent.end
        }
    }

    private func extents(in bytes: ByteBuffer) -> [Extent] {
        var extents: [Extent] = []
        let (sum, overflow) = offset.addingReportingOverflow(length)
        guard !overflow, var place = Int(exactly: offset), let end = Int(exactly: sum), end <= bytes.readableBytes
        else { return [] }
        func number<Number: FixedWidthInteger>(at place: Int, as type: Number.Type) -> UInt64? {
            guard place >= 0 else { return nil }
            return bytes.getInteger(at: place, endianness: .little, as: type).map { UInt64($0) }
        }
        for _ in 0..<files {
            guard place + Self.entryLength <= end, number(at: place, as: UInt32.self) == 0x0201_4B50,
                var length = number(at: place + 20, as: UInt32.self),
                let size = number(at: place + 24, as: UInt32.self),
                let nameLength = number(at: place + 28, as: UInt16.self),
                let extraLength = number(at: place + 30, as: UInt16.self),
                let commentLength = number(at: place + 32, as: UInt16.self),
                var start = number(at: place + 42, as: UInt32.self)
            else { break }
            let name = place + Self.entryLength
            let extra = name + Int(nameLength)
            // All bits set means that the number is in the extra field 1, those that are there in this order.
            if var wide = field(1, from: extra, count: Int(extraLength), number) {
                if size == 0xFFFF_FFFF { wide += 8 }
                if length == 0xFFFF_FFFF {
                    length = number(at: wide, as: UInt64.self) ?? length
                    wide += 8
                }
                if start == 0xFFFF_FFFF { start = number(at: wide, as: UInt64.self) ?? start }
            }
            extents.append(
                Extent(
                    start: start,
                    end: dataEnd(of: start, length, number),
                    name: bytes.getString(at: name, length: Int(nameLength)) ?? ""
                )
            )
            place = extra + Int(extraLength) + Int(commentLength)
        }
        return extents
    }

    /// The end of a file's data: its own header may have another name and other extra fields than the table says.
    private func dataEnd(
        of start: UInt64,
        _ length: UInt64,
        _ number: (Int, UInt16.Type) -> UInt64?
    ) -> UInt64 {
        var end = start
        let header = min(Int(exactly: start) ?? .max, .max - Self.headerLength)
        let variable = (number(header + 26, UInt16.self) ?? 0) + (number(header + 28, UInt16.self) ?? 0)
        for part in [UInt64(Self.headerLength), variable, length] {
            let (sum, overflow) = end.addingReportingOverflow(part)
            end = overflow ? .max : sum
        }
        return end
    }

    /// Where the content of an extra field begins.
    private func field(
        _ id: UInt64,
        from start: Int,
        count: Int,
        _ number: (Int, UInt16.Type) -> UInt64?
    ) -> Int? {
        var place = start
        while place + 4 <= start + count, let found = number(place, UInt16.self),
            let length = number(place + 2, UInt16.self)
        {
            if found == id { return place + 4 }
            place += 4 + Int(length)
        }
        return nil
    }
}
