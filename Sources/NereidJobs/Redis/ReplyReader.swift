// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CHiredis
import NIOCore

/// The most that is taken of one reply.
struct ReplyLimits: Sendable, Hashable {
    /// Bytes of a whole reply.
    var bytes = 512 << 20
    /// Elements of one array.
    var elements = 1 << 20
    /// Arrays in each other, 1…7.
    var depth = 7
}

/// Makes replies of the bytes that come from Redis.
struct ReplyReader: ~Copyable {
    private let reader: UnsafeMutablePointer<redisReader>
    private let limits: ReplyLimits
    /// Bytes of the reply that is still incomplete.
    private var incomplete = 0

    /// - Throws: ``RedisError/badReply(_:)`` when there is no memory for it.
    init(limits: ReplyLimits = .init()) throws(RedisError) {
        guard let reader = nereid_reader_create(limits.elements, limits.depth) else {
            throw .badReply("there is no memory to read replies")
        }
        self.reader = reader
        self.limits = limits
    }

    deinit { nereid_reader_free(reader) }

    /// Takes bytes as they come.
    mutating func feed(_ bytes: ByteBuffer) throws(RedisError) {
        let taken = bytes.withUnsafeReadableBytes { bytes in
            redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard taken == REDIS_OK else { throw failure }
        incomplete += bytes.readableBytes
    }

    /// The next whole reply, or `nil` until more bytes have come.
    mutating func next() throws(RedisError) -> RedisReply? {
        var object: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &object) == REDIS_OK else { throw failure }
        guard let object else {
            guard incomplete <= limits.bytes else {
                throw .badReply("a reply is longer than \(limits.bytes) bytes")
            }
            return nil
        }
        defer { freeReplyObject(object) }
        incomplete = reader.pointee.len - reader.pointee.pos
        return RedisReply(object.assumingMemoryBound(to: redisReply.self).pointee)
    }

    private var failure: RedisError {
        if reader.pointee.err == REDIS_ERR_OOM {
            return .badReply(
                "a reply has arrays of more than \(limits.elements) elements, or more than \(limits.depth) in each other, "
                    + "or there is no memory for it"
            )
        }
        return .badReply(
            withUnsafeBytes(of: reader.pointee.errstr) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        )
    }
}

extension RedisReply {
    /// The reader bounds how deep arrays lie in each other, and so the depth of the recursion.
    fileprivate init(_ reply: redisReply) {
        switch reply.type {
        case REDIS_REPLY_INTEGER: self = .integer(Int(reply.integer))
        case REDIS_REPLY_STRING: self = .bytes(ByteBuffer(bytes: reply.bytes))
        case REDIS_REPLY_STATUS: self = .status(String(decoding: reply.bytes, as: UTF8.self))
        case REDIS_REPLY_ERROR: self = .error(String(decoding: reply.bytes, as: UTF8.self))
        case REDIS_REPLY_ARRAY:
            self = .array((0..<reply.elements).map { reply.element[$0].map { RedisReply($0.pointee) } ?? .null })
        default: self = .null
        }
    }
}

extension redisReply {
    fileprivate var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: str, count: str == nil ? 0 : len) }
}
