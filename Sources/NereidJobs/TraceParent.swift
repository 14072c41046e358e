// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The place of a request in a distributed trace: the header `traceparent` of W3C Trace Context.
///
/// Nereid records no spans. It keeps what a client sent, so that its answers, log lines and messages can be found by the
/// client's trace.
public struct TraceParent: Sendable, Hashable, CustomStringConvertible {
    /// The header's value as it was sent: printable ASCII, 55 to 512 characters.
    public let description: String
    /// The id of the whole trace, 32 hexadecimal digits.
    public let traceID: String

    private static let longest = 512

    /// Reads a header's value.
    ///
    /// - Returns: `nil` for a value that the specification calls invalid: another length than 55 in version 00, version ff,
    ///   capital letters, an id of zeros only; and for a value of a later version that is longer than 512 characters.
    public init?(_ value: String) {
        let bytes = Array(value.utf8)
        guard (55...Self.longest).contains(bytes.count), bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            return nil
        }
        func digits(_ range: Range<Int>) -> Bool {
            bytes[range].allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }
        func isZero(_ range: Range<Int>) -> Bool { bytes[range].allSatisfy { $0 == 0x30 } }
        let dash = UInt8(ascii: "-")
        guard digits(0..<2), digits(3..<35), digits(36..<52), digits(53..<55),
            [2, 35, 52].allSatisfy({ bytes[$0] == dash }),
            !isZero(3..<35), !isZero(36..<52)
        else { return nil }
        let version = String(decoding: bytes[0..<2], as: UTF8.self)
        // Later versions may say more, behind a dash.
        guard version != "ff", bytes.count == 55 || (version != "00" && bytes[55] == dash) else { return nil }
        description = value
        traceID = String(decoding: bytes[3..<35], as: UTF8.self)
    }

    /// What is sent on: the trace and whether it is recorded, with an id of its own for the message, in version 00.
    ///
    /// - Parameter generator: where the id comes from.
    public func child(using generator: inout some RandomNumberGenerator) -> TraceParent {
        let bytes = Array(description.utf8)
        let id = String(UInt64.random(in: 1 ... .max, using: &generator), radix: 16)
        // Of the flags only the lowest is known in version 00.
        let isSampled = [UInt8(ascii: "1"), 0x33, 0x35, 0x37, 0x39, 0x62, 0x64, 0x66].contains(bytes[54])
        let padding = String(repeating: "0", count: 16 - id.count)
        return TraceParent(trusted: "00-\(traceID)-\(padding)\(id)-0\(isSampled ? 1 : 0)", traceID: traceID)
    }

    /// What is sent on, with a random id.
    public func child() -> TraceParent {
        var generator = SystemRandomNumberGenerator()
        return child(using: &generator)
    }

    private init(trusted description: String, traceID: String) {
        (self.description, self.traceID) = (description, traceID)
    }
}
