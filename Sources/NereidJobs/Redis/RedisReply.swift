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

/// An entry of a stream.
struct StreamEntry: Sendable {
    let id: String
    /// Names and values in turn.
    let fields: [RedisReply]

    /// `nil` when the reply is none, or one of an entry that is not there any more.
    init?(_ reply: RedisReply) {
        guard let parts = reply.elements, parts.count == 2, let id = parts[0].text, let fields = parts[1].elements
        else { return nil }
        (self.id, self.fields) = (id, fields)
    }

    var values: [String: RedisReply] { Dictionary(fields: fields) }
}

extension [String: RedisReply] {
    /// Names and values in turn, as hashes and entries of streams have them; of a name that stands twice the last counts.
    init(fields: [RedisReply]) {
        self.init(minimumCapacity: fields.count / 2)
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            if let name = fields[index].text { self[name] = fields[index + 1] }
        }
    }
}
