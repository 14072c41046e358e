// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// When a picture was taken, by the camera's clock, to the second.
///
/// As text it is a date and time of ISO 8601: `2023-06-01T12:34:56+02:00`, or `2023-06-01T12:34:56` if the file does not say
/// how far the clock was from UTC.
public struct CaptureTime: Sendable, Hashable, CustomStringConvertible {
    /// The date and time of ISO 8601, 19 or 25 characters.
    public let description: String

    /// Reads the text that ``description`` gives; `nil` for any other, and for a day or hour that no calendar has.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 19 || bytes.count == 25, let moment = Self.moment(bytes.prefix(19)) else { return nil }
        let offset = bytes.count > 19 ? Self.offset(bytes.dropFirst(19)) : ""
        guard let offset, moment + offset == text else { return nil }
        description = text
    }

    /// Reads the values of the EXIF tags `DateTimeOriginal` and `OffsetTimeOriginal` (CIPA DC-008, section 4.6.6). An offset
    /// that can't be read counts as none.
    init?(exif dateTime: some Collection<UInt8>, offset: (some Collection<UInt8>)?) {
        guard let moment = Self.moment(dateTime) else { return nil }
        description = moment + (offset.flatMap { Self.offset($0) } ?? "")
    }

    /// `2023:06:01 12:34:56` as ISO 8601 writes it. Cameras that do not know the time write zeros or spaces.
    private static func moment(_ text: some Collection<UInt8>) -> String? {
        let bytes = Array(text)
        guard bytes.count == 19, bytes[4] == bytes[7], ":-".utf8.contains(bytes[4]), " T".utf8.contains(bytes[10]),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]), let day = number(bytes[8..<10]),
            let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]), let second = number(bytes[17..<19]),
            year >= 1, (1...12).contains(month), day >= 1, day <= days(in: month, of: year),
            hour < 24, minute < 60, second < 60
        else { return nil }
        func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        return "\(part(0..<4))-\(part(5..<7))-\(part(8..<10))T\(part(11..<19))"
    }

    /// `+02:00` as it is, `Z` as `+00:00`; `nil` for everything else.
    private static func offset(_ text: some Collection<UInt8>) -> String? {
        let bytes = Array(text)
        if bytes == [UInt8(ascii: "Z")] { return "+00:00" }
        guard bytes.count == 6, "+-".utf8.contains(bytes[0]), bytes[3] == UInt8(ascii: ":"),
            let hours = number(bytes[1..<3]), let minutes = number(bytes[4..<6]), hours <= 14, minutes < 60
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var number = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }

    private static func days(in month: Int, of year: Int) -> Int {
        let isLeap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }
}
