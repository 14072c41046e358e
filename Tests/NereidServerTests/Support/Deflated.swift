// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CZlib
import NIOCore

/// Bytes as a client encodes a body.
enum Deflated {
    /// How the data are wrapped, as zlib counts it.
    enum Form: Int32 {
        case gzip = 31
        case zlib = 15
        case raw = -15
    }

    static func bytes(_ bytes: ByteBuffer, as form: Form = .gzip) -> ByteBuffer {
        var stream = z_stream()
        precondition(nereid_deflate_init(&stream, form.rawValue) == Z_OK)
        defer { deflateEnd(&stream) }
        var output = ByteBuffer()
        var status = Z_OK
        bytes.withUnsafeReadableBytes { raw in
            stream.next_in = UnsafeMutablePointer(mutating: raw.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(raw.count)
            while status == Z_OK {
                output.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 16) { room in
                    stream.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.avail_out = UInt32(room.count)
                    status = deflate(&stream, Z_FINISH)
                    return room.count - Int(stream.avail_out)
                }
            }
        }
        precondition(status == Z_STREAM_END)
        return output
    }
}
