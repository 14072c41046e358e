// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore

/// A command: its words, as they will go over the wire.
struct RedisCommand: Sendable, Hashable {
    private var arguments: [Argument]

    /// Makes a command of its words.
    init(_ words: Argument...) {
        self.init(words)
    }

    /// Makes a command of its words.
    init(_ words: [Argument]) {
        arguments = words
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
        arguments.append(word)
    }

    /// The words as text, for tests and messages; they may hold a password.
    var words: [String] {
        arguments.map { argument in
            switch argument {
            case .text(let text): text
            case .integer(let number): String(number)
            case .bytes(let bytes): String(buffer: bytes)
            }
        }
    }

    /// Words that are bytes, and more than this, are sent from where they are, not copied.
    static let mostCopiedBytes = 16 << 10

    /// The command as it goes over the wire: an array of bulk strings (https://redis.io/docs/latest/develop/reference/protocol-spec/),
    /// in pieces to be sent one behind the other.
    ///
    /// Written here and not by hiredis' formatter, which would copy each picture twice; a test holds the two to the same bytes.
    var pieces: [ByteBuffer] {
        var pieces: [ByteBuffer] = []
        var piece = ByteBuffer(string: "*\(arguments.count)\r\n")
        for argument in arguments {
            switch argument {
            case .text(let text):
                piece.writeWord(text)
            case .integer(let number):
                piece.writeWord(String(number))
            case .bytes(let bytes):
                piece.writeString("$\(bytes.readableBytes)\r\n")
                if bytes.readableBytes > Self.mostCopiedBytes {
                    pieces += [piece, bytes]
                    piece = ByteBuffer()
                } else {
                    piece.writeImmutableBuffer(bytes)
                }
                piece.writeString("\r\n")
            }
        }
        return pieces + [piece]
    }
}

extension ByteBuffer {
    fileprivate mutating func writeWord(_ text: String) {
        writeString("$\(text.utf8.count)\r\n")
        writeString(text)
        writeString("\r\n")
    }
}
