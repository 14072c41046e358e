// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CHiredis
import NIOCore
import Testing
import TestSupport

@testable import NereidJobs

@Suite("Redis protocol")
struct RedisProtocolTests {
    @Test("writes commands with their lengths, whatever their bytes are")
    func format() {
        let binary = ByteBuffer(bytes: [0, 13, 10, 255])
        let command = RedisCommand("SET", "key ü", .bytes(binary), .integer(-7), "")
        var expected = ByteBuffer(string: "*5\r\n$3\r\nSET\r\n$6\r\nkey ü\r\n$4\r\n")
        expected.writeBytes([0, 13, 10, 255])
        expected.writeString("\r\n$2\r\n-7\r\n$0\r\n\r\n")
        #expect(command.pieces == [expected])
        #expect(RedisCommand("GET", "a").words == ["GET", "a"])
    }

    @Test("sends what is long from where it is, and all as hiredis would")
    func pieces() throws {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<200 {
            let lengths = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
                [0, 1, 9, 10, 99, 100, 16 << 10, (16 << 10) + 1, 350_000].randomElement(using: &generator) ?? 0
            }
            let words = lengths.map { length in
                ByteBuffer(repeating: UInt8.random(in: 0...255, using: &generator), count: length)
            }
            let pieces = RedisCommand(words.map { .bytes($0) }).pieces
            #expect(pieces.count == 1 + 2 * lengths.count { $0 > RedisCommand.mostCopiedBytes })
            #expect(try ByteBuffer(ofAll: pieces) == Self.formattedByHiredis(words))
        }
    }

    private static func formattedByHiredis(_ words: [ByteBuffer]) throws -> ByteBuffer {
        let joined = ByteBuffer(ofAll: words)
        var formatted: UnsafeMutablePointer<CChar>?
        let length = joined.withUnsafeReadableBytes { memory in
            var position = 0
            var starts = words.map { word -> UnsafePointer<CChar>? in
                defer { position += word.readableBytes }
                return memory.baseAddress.map { ($0 + position).assumingMemoryBound(to: CChar.self) }
            }
            return redisFormatCommandArgv(&formatted, CInt(words.count), &starts, words.map(\.readableBytes))
        }
        let start = try #require(formatted)
        defer { redisFreeCommand(start) }
        return ByteBuffer(bytes: UnsafeRawBufferPointer(start: start, count: Int(length)))
    }

    static let replies = "+OK\r\n:-42\r\n$4\r\na\r\nb\r\n$-1\r\n*-1\r\n*3\r\n:1\r\n*1\r\n$0\r\n\r\n*0\r\n-ERR no\r\n"
    static let expected: [RedisReply] = [
        .status("OK"), .integer(-42), .bytes(ByteBuffer(string: "a\r\nb")), .null, .null,
        .array([.integer(1), .array([.bytes(ByteBuffer())]), .array([])]), .error("ERR no"),
    ]

    @Test("reads every type of reply, however the bytes are cut", arguments: [1, 2, 3, 7, 1000])
    func read(step: Int) throws {
        var reader = try ReplyReader()
        var rest = ByteBuffer(string: Self.replies)
        var replies: [RedisReply] = []
        while rest.readableBytes > 0 {
            let piece = rest.readSlice(length: min(step, rest.readableBytes))
            try reader.feed(#require(piece))
            while let reply = try reader.next() { replies.append(reply) }
        }
        #expect(replies == Self.expected)
    }

    /// What reading some text ends with.
    private static func failure(_ text: String, _ limits: ReplyLimits) -> RedisError? {
        do throws(RedisError) {
            var reader = try ReplyReader(limits: limits)
            try reader.feed(ByteBuffer(string: text))
            while try reader.next() != nil {}
            return nil
        } catch {
            return error
        }
    }

    @Test("refuses what is too long, too many, or too deep, before there is memory for it")
    func limits() {
        let limits = ReplyLimits(bytes: 64, elements: 10, depth: 3)
        let long = Self.failure("$1000\r\n" + String(repeating: "x", count: 100), limits)
        #expect(long?.description.contains("longer than 64 bytes") == true)
        #expect(Self.failure("*2000000000\r\n", limits)?.description.contains("more than 10 elements") == true)
        #expect(Self.failure("*11\r\n:1\r\n", limits) != nil)
        #expect(Self.failure("*10\r\n:1\r\n", limits) == nil)
        #expect(Self.failure("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", limits)?.description.contains("3 in each other") == true)
        #expect(Self.failure("*1\r\n*1\r\n*1\r\n:1\r\n", limits) == nil)
        // Many small replies in one piece are no long reply.
        #expect(Self.failure(String(repeating: "+OK\r\n", count: 100), limits) == nil)
    }

    @Test(
        "refuses what is no reply",
        arguments: ["HTTP/1.1 400 Bad Request\r\n", "$x\r\n", "*x\r\n", ":\r\n", "$-2\r\n"]
    )
    func nonsense(text: String) {
        let error = Self.failure(text, .init())
        #expect(error?.description.hasPrefix("what came from Redis can't be used") == true)
    }

    @Test("takes replies for what they are asked to be")
    func types() throws {
        #expect(RedisReply.bytes(ByteBuffer(string: "12")).integer == 12)
        #expect(RedisReply.bytes(ByteBuffer(string: "x")).integer == nil)
        #expect(RedisReply.integer(3).text == "3")
        #expect(RedisReply.status("OK").text == "OK")
        #expect(RedisReply.array([.null]).elements == [.null])
        #expect(RedisReply.null.text == nil && RedisReply.null.elements == nil && RedisReply.null.bytes == nil)
        #expect(throws: RedisError.refused("ERR no")) { try RedisReply.error("ERR no").orThrow() }
    }

    @Test("waits twice as long each time, up to a bound, less a part by chance")
    func backOff() {
        var backOff = BackOff(first: .milliseconds(100), most: .seconds(1))
        var generator = SystemRandomNumberGenerator()
        for longest in [100, 200, 400, 800, 1000, 1000] {
            let wait = backOff.next(using: &generator)
            #expect(wait >= .milliseconds(longest) / 2 && wait <= .milliseconds(longest))
        }
        #expect(backOff.level == .debug)
        backOff.reset()
        #expect(backOff.next(using: &generator) <= .milliseconds(100))
        #expect(backOff.level == .warning)
    }
}

extension ByteBuffer {
    fileprivate init(ofAll pieces: [ByteBuffer]) {
        self.init()
        for piece in pieces { writeImmutableBuffer(piece) }
    }
}
