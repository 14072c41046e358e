// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CZlib
import NIOCore

/// Decodes gzip (RFC 1952), zlib (RFC 1950) or raw deflate data (RFC 1951), a bounded piece at a time.
///
/// What comes out may be a thousand times what went in. The caller takes it piece by piece, and stops at its own limit; no
/// piece takes longer than a millisecond or so.
final class Inflater {
    private let coding: ContentCoding
    /// zlib keeps a pointer to the stream, so that it must not move.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var input = ByteBuffer()
    private var isPrepared = false
    /// Whether the data ended as they should; more gzip data may follow.
    private var isAtEnd = false
    /// Whether the last piece was full, so that zlib may hold more of it without further input.
    private var mayHoldMore = false

    /// Bytes of one piece.
    static let piece = 128 << 10

    init(_ coding: ContentCoding) {
        self.coding = coding
        stream.initialize(to: z_stream())
    }

    deinit {
        if isPrepared { inflateEnd(stream) }
        stream.deallocate()
    }

    /// Takes encoded bytes; those before must have been used up, which ``next()`` says by giving `nil`.
    func take(_ bytes: ByteBuffer) {
        var bytes = bytes
        input.writeBuffer(&bytes)
    }

    /// The next decoded bytes; `nil` when more encoded ones are needed.
    ///
    /// - Throws: ``ContentCodingError/damaged(_:reason:)``.
    func next() throws(ContentCodingError) -> ByteBuffer? {
        while input.readableBytes > 0 || mayHoldMore {
            if isAtEnd { try beginAgain() }
            if !isPrepared, try !prepare() { return nil }
            if let piece = try inflateSome() { return piece }
        }
        return nil
    }

    /// The encoded bytes have ended.
    ///
    /// - Throws: ``ContentCodingError/cutShort(_:)`` when the data have not.
    func finish() throws(ContentCodingError) {
        guard isAtEnd else { throw .cutShort(coding) }
    }

    /// One call of zlib; `nil` when nothing came out.
    private func inflateSome() throws(ContentCodingError) -> ByteBuffer? {
        var output = ByteBuffer()
        var status = Z_OK
        let available = input.readableBytes
        var left = available
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.piece) { room in
            let capacity = min(room.count, Self.piece)
            input.withUnsafeReadableBytes { bytes in
                stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
                )
                stream.pointee.avail_in = UInt32(clamping: bytes.count)
                stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(capacity)
                status = inflate(stream, Z_NO_FLUSH)
                left = available - (Int(UInt32(clamping: bytes.count)) - Int(stream.pointee.avail_in))
            }
            return capacity - Int(stream.pointee.avail_out)
        }
        input.moveReaderIndex(forwardBy: available - left)
        input.discardReadBytes()
        mayHoldMore = stream.pointee.avail_out == 0
        switch status {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: (isAtEnd, mayHoldMore) = (true, false)
        default: throw .damaged(coding, reason: stream.pointee.msg.map { String(cString: $0) } ?? "it has no sense")
        }
        return output.readableBytes > 0 ? output : nil
    }

    /// Several gzip files one after another are one (RFC 1952, section 2.2); of the others nothing may follow.
    private func beginAgain() throws(ContentCodingError) {
        guard coding == .gzip, inflateReset(stream) == Z_OK else {
            throw .damaged(coding, reason: "bytes follow the end of the data")
        }
        isAtEnd = false
    }

    /// `false` while the first two bytes are not there, which tell zlib from raw data.
    private func prepare() throws(ContentCodingError) -> Bool {
        var bits = MAX_WBITS
        switch coding {
        case .gzip: bits += 16
        case .deflate:
            guard let header = input.getInteger(at: input.readerIndex, as: UInt16.self) else { return false }
            // What browsers and servers call deflate is zlib data; some clients send it raw.
            let isZlib = header >> 8 & 0x0F == 8 && header % 31 == 0
            if !isZlib { bits = -bits }
        }
        guard nereid_inflate_init(stream, bits) == Z_OK else {
            throw .damaged(coding, reason: "there is no memory to decode it")
        }
        isPrepared = true
        return true
    }
}
