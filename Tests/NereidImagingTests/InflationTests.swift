// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidImaging

/// The streams were written by zlib 1.2.13.
@Suite("Inflation")
struct InflationTests {
    static let stored = "7801010f00f0ff73746f7265642061732069742069732ded057f"
    static let fixed = "7801f32fca4ccd2b492cc9cccfd351f0c7c101000cd40e3d"
    /// The squares of 0 to 299, with codes of their own.
    static let own = """
        eNollMsBwzAIQ1fJCOZn8P6LVY9eGjcBLCTB+ezL7312P68v7pfvu/mNfXbOZ65npr4q4ilEMV56zvvCU/HKVlymnpNf+fuq73cV
        d/Vs/W+9H31/inuXukq0owpmKmXUNFdxC25JrivuvQC4IGkhskkwCKEfUBiI/bzP4+TneUzIlOGXU/Nu+PoUF2SE6gNayEP1IlU5
        uCNat8Xo3nhCkEdYElQZwpcppHmFOZtuaaOO+imj4aBjffmKnqs5Pb27R1+VZWJTGbeUe1tV7qhen4IcZbTu/Lp0b7cQ9BOWgfpx
        4ZtEiyvMM0L/6EMROgml2FSXb85qBVnH95wHgq8iRLOCzcgz8+Cc8GgXSm1g1/9KB5x7Qb83SvhbUVafyFqBUC0eAqbd9Qa5Qsl5
        BumUp98QEbacWA3nu+9vEHM3/kKl9dbppGZv/X7cNXuvROe8eN4B21ucb83xwK+e1Ysf+vLTGMT+DgksYvDgJMsu8ON/mzi8eRjv
        I9dHTXxubgZ1EublGOoXesj75BYqudTV+4t2LuCKX0W9iwlpdHZ1gRFRXzND7sMT/ko8iGBxInM2FoWrOI+z4SqhV0w4XpNtMarj
        wAhj8gJfRqi0rMy9kuhxxsNRgZ1rnX3RV5Zfvw/W752CvgzE7GxoQDkzMZL37CicnW2m++SeR+/TmDnEZ0jIlXKsDWc+M1z19V93
        aSfsZmCWpY3wZDHhWc2A3Z2wexmxZhtk1w4ZO0K7hNxhb+RTaf2yS+oYA7ZclR3OtjtHVmD7sIf0nxENdlPFqGYl+0pTqruquFcK
        PUaWvVZyo2KaXafdRe5obPRb6qVkHMU8QddM0+89pd4hVVNuWgUa8yN+7vrqxp5j3+fG5MbX5tbWudSkdcU0d929V6wJAxLp/QOb
        ULIezm6KA37BZH8YfbXTY2+/HfSubSIeOuGkC356Z1C+4Xx3Hzd8dsNtL889cK6xU805aDEHXWZ38xh6jaPdODpOoOmsvtpQ7KlC
        9yk8IPjqcZp+NbjqfQbPzOCf0eayH/KvOTM=
        """
    static let squares = (0..<300).map { String($0 * $0) }.joined(separator: " ")

    static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16) ?? 0 }
    }

    static var ownBytes: [UInt8] { Array(Data(base64Encoded: own, options: .ignoreUnknownCharacters) ?? Data()) }

    private func text(_ bytes: [UInt8], limit: Int = 1 << 16) -> String? {
        bytes.withUnsafeBytes { Inflation.inflate(zlib: $0, limit: limit) }.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("unpacks blocks of all three kinds")
    func kinds() {
        #expect(text(Self.bytes(Self.stored)) == "stored as it is")
        #expect(text(Self.bytes(Self.fixed)) == "Orientation, Orientation, Orientation")
        #expect(text(Self.ownBytes) == Self.squares)
    }

    @Test("stops at its limit", arguments: [0, 1, 14, 15, 36, 37, 1000])
    func limit(limit: Int) {
        #expect(text(Self.bytes(Self.stored), limit: limit) == String("stored as it is".prefix(limit)))
        #expect(
            text(Self.bytes(Self.fixed), limit: limit) == String("Orientation, Orientation, Orientation".prefix(limit))
        )
        #expect(text(Self.ownBytes, limit: limit) == String(Self.squares.prefix(limit)))
    }

    @Test("refuses what is cut short or damaged, and never reads beyond its end")
    func damaged() {
        for stream in [Self.bytes(Self.stored), Self.bytes(Self.fixed), Self.ownBytes] {
            // The last four bytes are the checksum, which is not looked at.
            for count in 0..<stream.count - 5 { #expect(text(Array(stream.prefix(count))) == nil, "\(count)") }
        }
        #expect(text([0x79, 0x01, 0x03, 0x00]) == nil)
        #expect(text([0x78, 0x01, 0x07, 0x00]) == nil)
        var generator = SeededGenerator(seed: 3)
        for round in 0..<3000 {
            var stream = round.isMultiple(of: 2) ? Self.ownBytes : Self.bytes(Self.fixed)
            stream[.random(in: 2..<stream.count, using: &generator)] = .random(in: 0...255, using: &generator)
            #expect(text(stream, limit: 5000)?.utf8.count ?? 0 <= 15_000)
        }
    }
}
