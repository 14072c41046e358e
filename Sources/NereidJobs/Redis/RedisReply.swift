// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// What Redis answers to a command, in the types of RESP2.
enum RedisReply: Sendable, Hashable {
    /// Bytes of any kind.
    case bytes(ByteBuffer)
    /// A short word, such as `OK`.
    case status(String)
    case integer(Int)
    case array([RedisReply])
    /// No such key, no such element, or nothing came before a blocking command's time was over.
    case null
    /// The command failed; the text begins with a code in capitals.
    case error(String)

    /// The text of bytes, a status or an integer.
    var text: String? {
        switch self {
        case .bytes(let bytes): String(buffer: bytes)
        case .status(let word): word
        case .integer(let number): String(number)
        case .array, .null, .error: nil
        }
    }

    /// An integer, or the integer that bytes spell.
    var integer: Int? {
        switch self {
        case .integer(let number): number
        case .bytes(let bytes): Int(String(buffer: bytes))
        case .status, .array, .null, .error: nil
        }
    }

    var elements: [RedisReply]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    var bytes: ByteBuffer? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    /// The reply, unless it is an error.
    ///
    /// - Throws: ``RedisError/refused(_:)``.
    func orThrow() throws(RedisError) -> RedisReply {
        if case .error(let reason) = self { throw .refused(reason) }
        return self
    }
}
