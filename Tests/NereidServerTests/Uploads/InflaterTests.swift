// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidServer

@Suite("Decoding of bodies")
struct InflaterTests {
    private static let samples: [ByteBuffer] = [
        ByteBuffer(), ByteBuffer(string: "x"), ByteBuffer(string: "reef "),
        ByteBuffer(repeating: 7, count: 3 * Inflater.piece), ByteBuffer(repeating: 7, count: 3 * Inflater.piece + 1),
        ByteBuffer(bytes: (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }),
    ]

    private func inflate(_ bytes: ByteBuffer, _ coding: ContentCoding, chunk: Int) throws -> ByteBuffer {
        let inflater = Inflater(coding)
        var (rest, output) = (bytes, ByteBuffer())
        while let part = rest.readSlice(length: min(chunk, rest.readableBytes)), part.readableBytes > 0 {
            inflater.take(part)
            while var piece = try inflater.next() {
                #expect(piece.readableBytes > 0 && piece.readableBytes <= Inflater.piece)
                output.writeBuffer(&piece)
            }
        }
        try inflater.finish()
        return output
    }

    @Test("gives what was encoded, in whatever chunks it comes", arguments: samples.indices, [1, 1000, 1 << 20])
    func whole(sample: Int, chunk: Int) throws {
        let bytes = Self.samples[sample]
        // Byte by byte only what is short.
        let encoded = Deflated.bytes(bytes)
        guard chunk > 1 || encoded.readableBytes < 10_000 else { return }
        #expect(try inflate(encoded, .gzip, chunk: chunk) == bytes)
        #expect(try inflate(Deflated.bytes(bytes, as: .zlib), .deflate, chunk: chunk) == bytes)
        #expect(try inflate(Deflated.bytes(bytes, as: .raw), .deflate, chunk: chunk) == bytes)
    }

    @Test("takes several gzip files one after another for one")
    func members() throws {
        var encoded = Deflated.bytes(ByteBuffer(string: "reef "))
        encoded.writeImmutableBuffer(Deflated.bytes(ByteBuffer(string: "and shore")))
        for chunk in [1, 7, 1000] {
            #expect(try inflate(encoded, .gzip, chunk: chunk) == ByteBuffer(string: "reef and shore"))
        }
    }

    @Test("says when the data are damaged or cut short")
    func damaged() throws {
        let encoded = Deflated.bytes(Self.samples[5])
        let half = try #require(encoded.getSlice(at: 0, length: encoded.readableBytes / 2))
        #expect(throws: ContentCodingError.cutShort(.gzip)) { try inflate(half, .gzip, chunk: 1000) }
        var altered = encoded
        altered.setRepeatingByte(0xFF, count: 50, at: 1000)
        #expect(throws: ContentCodingError.self) { try inflate(altered, .gzip, chunk: 1000) }
        for bytes in [ByteBuffer(string: "not gzip at all"), ByteBuffer(bytes: [0x89, 0x50, 0x4E, 0x47])] {
            #expect(throws: ContentCodingError.self) { try inflate(bytes, .gzip, chunk: 1000) }
        }
        var trailing = Deflated.bytes(ByteBuffer(string: "reef"), as: .zlib)
        trailing.writeString("more")
        #expect(throws: ContentCodingError.self) { try inflate(trailing, .deflate, chunk: 1000) }
    }
}
