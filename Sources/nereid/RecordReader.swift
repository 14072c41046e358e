// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// Cuts the bytes of a file, as they are read, into its lines: those of JSON, or those of a table (RFC 4180), in which a field
/// in quotation marks may hold line breaks.
struct RecordReader {
    /// A line with its line break.
    struct Record: Equatable {
        var bytes: [UInt8]
        /// Where in the file it begins.
        var start: Int
    }

    /// Whether a line break in quotation marks ends a line too.
    private let splitsQuotes: Bool
    private var rest: [UInt8] = []
    private var isQuoted = false
    /// The whole lines so far.
    private(set) var count = 0
    /// The bytes of the whole lines so far.
    private(set) var length = 0

    init(splitsQuotes: Bool) {
        self.splitsQuotes = splitsQuotes
    }

    /// Takes bytes, and gives the lines that end in them.
    mutating func read(_ bytes: some Sequence<UInt8>) -> [Record] {
        var records: [Record] = []
        for byte in bytes {
            rest.append(byte)
            if byte == UInt8(ascii: "\""), !splitsQuotes { isQuoted.toggle() }
            guard byte == UInt8(ascii: "\n"), !isQuoted else { continue }
            records.append(Record(bytes: rest, start: length))
            (count, length) = (count + 1, length + rest.count)
            rest.removeAll(keepingCapacity: true)
        }
        return records
    }
}

extension RecordReader.Record {
    /// The fields of a table's line, without quotation marks.
    var fields: [String] {
        var fields: [[UInt8]] = [[]]
        var (isQuoted, last): (Bool, UInt8) = (false, 0)
        var content = bytes[...]
        for end in "\n\r".utf8 where content.last == end { content.removeLast() }
        for byte in content {
            switch byte {
            case UInt8(ascii: "\""):
                // Two of them in quotation marks are one.
                if !isQuoted, last == byte { fields[fields.count - 1].append(byte) }
                isQuoted.toggle()
            case UInt8(ascii: ",") where !isQuoted: fields.append([])
            default: fields[fields.count - 1].append(byte)
            }
            last = byte
        }
        return fields.map { String(decoding: $0, as: UTF8.self) }
    }
}
