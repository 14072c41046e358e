// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Ids of bulk jobs: 32 hexadecimal digits, twelve of the time in milliseconds and twenty that nobody can guess. Their order is
/// that in which jobs were accepted.
enum BulkID {
    /// - Parameter milliseconds: since 1970.
    static func make(at milliseconds: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        let random = (generator.next() as UInt64, generator.next() as UInt16)
        return digits(milliseconds, 12) + digits(random.0, 16) + digits(random.1, 4)
    }

    /// Whether a text may be an id; others are not looked for.
    static func isOne(_ text: String) -> Bool {
        text.utf8.count == 32
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (0x61...0x66).contains($0)
            }
    }

    private static func digits(_ number: some BinaryInteger, _ count: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(0, count - digits.count)) + digits
    }
}
