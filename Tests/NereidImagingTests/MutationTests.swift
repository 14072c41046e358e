// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import TestSupport
import Testing

@testable import NereidImaging

@Suite("Mutations")
struct MutationTests {
    /// Small files of each kind that can be made here.
    static func originals() throws -> [[UInt8]] {
        let picture = try Picture.noise(width: 23, height: 17)
        let turned = try SmallFiles.jpeg(picture, orientation: 6, bigEndian: false)
        let bmp = SmallFiles.bmp(
            width: 8,
            height: 8,
            bits: 8,
            palette: [UInt8](repeating: 9, count: 1024),
            pixels: [UInt8](repeating: 3, count: 64)
        )
        return try [
            Array(picture.encoded(as: .png).readableBytesView), Array(turned.readableBytesView), bmp, SmallFiles.gif,
        ]
    }

    @Test("never crash the decoders, and end in a picture or in an error of this room", arguments: 0..<4)
    func mutations(file: Int) throws {
        let original = try Self.originals()[file]
        var generator = SeededGenerator(seed: UInt64(file) + 100)
        let limits = DecodingLimits(side: 4096, pixels: 1_000_000)
        for _ in 0..<300 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                // Half of the changes hit the headers, where they do most harm.
                let range = Bool.random(using: &generator) ? bytes.indices : bytes.startIndex..<min(64, bytes.count)
                guard let index = range.randomElement(using: &generator) else { continue }
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes[index] = [0x00, 0xFF, 0x7F, 0x80].randomElement(using: &generator)!
                case 2: bytes.removeSubrange(index..<min(index + 4, bytes.count))
                default: bytes.insert(contentsOf: bytes[index..<min(index + 8, bytes.count)], at: index)
                }
            }
            do {
                let picture = try Picture(decoding: ByteBuffer(bytes: bytes), limits: limits)
                #expect(picture.pixels.count == picture.width * picture.height * 3)
            } catch {
                #expect(error is ImagingError)
            }
        }
    }
}
