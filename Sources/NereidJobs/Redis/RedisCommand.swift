// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CHiredis
import NIOCore

/// A command with its arguments, one behind the other in one piece of memory.
struct RedisCommand: Sendable, Hashable {
    private var bytes = ByteBuffer()
    private var lengths: [Int] = []

    /// Makes a command of its words.
    init(_ words: Argument...) {
        self.init(words)
    }

    /// Makes a command of its words.
    init(_ words: [Argument]) {
        for word in words { append(word) }
    }

    /// A word of a command.
    enum Argument: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
        ExpressibleByIntegerLiteral
    {
        case text(String)
        case integer(Int)
        case bytes(ByteBuffer)

        init(stringLiteral value: String) { self = .text(value) }
        init(integerLiteral value: Int) { self = .integer(value) }
    }

    mutating func append(_ word: Argument) {
        let length =
            switch word {
            case .text(let text): bytes.writeString(text)
            case .integer(let number): bytes.writeString(String(number))
            case .bytes(let buffer): bytes.writeImmutableBuffer(buffer)
            }
        lengths.append(length)
    }

    /// The words as text, for tests and messages; they may hold a password.
    var words: [String] {
        var rest = bytes
        return lengths.map { rest.readString(length: $0) ?? "" }
    }

    /// The command as it goes over the wire.
    ///
    /// - Throws: ``RedisError/refused(_:)`` when there is no memory for it.
    func formatted() throws(RedisError) -> ByteBuffer {
        var formatted: UnsafeMutablePointer<CChar>?
        let length = bytes.withUnsafeReadableBytes { memory in
            var position = 0
            var words = lengths.map { length -> UnsafePointer<CChar>? in
                defer { position += length }
                return memory.baseAddress.map { ($0 + position).assumingMemoryBound(to: CChar.self) }
            }
            return redisFormatCommandArgv(&formatted, CInt(words.count), &words, lengths)
        }
        guard length >= 0, let formatted else { throw .refused("there is no memory for a command") }
        defer { redisFreeCommand(formatted) }
        return ByteBuffer(bytes: UnsafeRawBufferPointer(start: formatted, count: Int(length)))
    }
}
