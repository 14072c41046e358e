// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The text of a file that people edit, in whatever encoding their editor saved it.
///
/// UTF-8, with or without a byte order mark; UTF-16 and UTF-32 with one; and UTF-16 and UTF-32 without one when the first
/// character is ASCII, which gives them away by the position of its zeros (YAML 1.2, section 5.2). Text in UTF-8 has no zeros.
public struct EditedText: Sendable, Hashable {
    /// The text, without a byte order mark.
    public let text: String

    /// How encodings are called in messages.
    public static let encodings = "UTF-8 or UTF-16"

    /// Decodes the bytes of a whole file; `nil` when they are not text in one of these encodings.
    public init?(_ bytes: some RandomAccessCollection<UInt8>) {
        let bytes = Array(bytes)
        let encoding = Encoding(of: bytes)
        let content = bytes[encoding.markLength(bytes)...]
        let decoded: String?
        switch encoding {
        case .utf8:
            decoded = content.contains(0) ? nil : String(validating: content, as: UTF8.self)
        case .utf16(let isBigEndian):
            decoded = Self.units(content, as: UInt16.self, isBigEndian).flatMap {
                String(validating: $0, as: UTF16.self)
            }
        case .utf32(let isBigEndian):
            decoded = Self.units(content, as: UInt32.self, isBigEndian).flatMap {
                String(validating: $0, as: UTF32.self)
            }
        }
        guard let decoded, !decoded.unicodeScalars.contains("\0") else { return nil }
        text = decoded
    }

    private static func units<Unit: FixedWidthInteger>(
        _ bytes: ArraySlice<UInt8>,
        as type: Unit.Type,
        _ isBigEndian: Bool
    ) -> [Unit]? {
        let size = MemoryLayout<Unit>.size
        guard bytes.count.isMultiple(of: size) else { return nil }
        return stride(from: bytes.startIndex, to: bytes.endIndex, by: size).map { start in
            (0..<size).reduce(0) { $0 << 8 | Unit(bytes[isBigEndian ? start + $1 : start + size - 1 - $1]) }
        }
    }

    private enum Encoding {
        case utf8
        case utf16(isBigEndian: Bool)
        case utf32(isBigEndian: Bool)

        init(of bytes: [UInt8]) {
            // Whether the first bytes are zero; those that are not there count as others.
            let zeros = (0..<4).map { $0 < bytes.count && bytes[$0] == 0 }
            if bytes.starts(with: [0xFF, 0xFE, 0, 0]) || zeros == [false, true, true, true] {
                self = .utf32(isBigEndian: false)
            } else if bytes.starts(with: [0, 0, 0xFE, 0xFF]) || zeros == [true, true, true, false] {
                self = .utf32(isBigEndian: true)
            } else if bytes.starts(with: [0xFF, 0xFE]) || bytes.count >= 2 && !zeros[0] && zeros[1] {
                self = .utf16(isBigEndian: false)
            } else if bytes.starts(with: [0xFE, 0xFF]) || zeros[0] && !zeros[1] {
                self = .utf16(isBigEndian: true)
            } else {
                self = .utf8
            }
        }

        /// The length of the byte order mark that the bytes begin with.
        func markLength(_ bytes: [UInt8]) -> Int {
            let mark: [UInt8] =
                switch self {
                case .utf8: [0xEF, 0xBB, 0xBF]
                case .utf16(let isBigEndian): isBigEndian ? [0xFE, 0xFF] : [0xFF, 0xFE]
                case .utf32(let isBigEndian): isBigEndian ? [0, 0, 0xFE, 0xFF] : [0xFF, 0xFE, 0, 0]
                }
            return bytes.starts(with: mark) ? mark.count : 0
        }
    }
}
