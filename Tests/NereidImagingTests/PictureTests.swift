// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidImaging

@Suite("Picture")
struct PictureTests {
    @Test("keeps the pixels it is made from")
    func pixels() throws {
        let picture = try Picture(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6])
        #expect(picture.size == PixelSize(width: 2, height: 1))
        #expect(picture.format == nil)
        let sum = picture.withPixels { span in
            span.indices.reduce(0) { $0 + Int(span[$1]) }
        }
        #expect(sum == 21)
    }

    @Test(
        "refuses pixels that do not make the picture",
        arguments: [(2, 1, 5), (2, 1, 7), (0, 1, 0), (1, -1, 3), (-1, -1, 3), (Int.max, 2, 6)]
    )
    func wrongCount(width: Int, height: Int, bytes: Int) {
        let size = PixelSize(width: width, height: height)
        #expect(throws: ImagingError.wrongPixelCount(size: size, bytes: bytes)) {
            try Picture(width: width, height: height, pixels: [UInt8](repeating: 0, count: bytes))
        }
    }

    @Test("survives PNG unchanged", arguments: [(1, 1), (3, 2), (64, 48), (257, 31)])
    func png(width: Int, height: Int) throws {
        let picture = try Picture.noise(width: width, height: height)
        let file = try picture.encoded(as: .png)
        let decoded = try Picture(decoding: file)
        #expect(decoded.format == .png)
        #expect(decoded.size == picture.size)
        #expect(decoded.pixels == picture.pixels)
    }

    @Test("survives JPEG nearly unchanged", arguments: [(1, 1), (17, 9), (64, 48)])
    func jpeg(width: Int, height: Int) throws {
        let picture = try Picture.gradient(width: width, height: height)
        let decoded = try Picture(decoding: picture.encoded(as: .jpeg(quality: 100)))
        #expect(decoded.format == .jpeg)
        #expect(decoded.size == picture.size)
        // Rounding in colour conversion and transform: two levels each.
        #expect(decoded.largestDifference(to: picture) <= 4)
    }

    @Test("refuses what a JPEG cannot be")
    func impossibleJPEG() throws {
        let picture = try Picture.gradient(width: 4, height: 4)
        for quality in [0, 101] {
            #expect(throws: ImagingError.encodingFailed(reason: "the quality of a JPEG is 1 to 100, not \(quality)")) {
                try picture.encoded(as: .jpeg(quality: quality))
            }
        }
        let wide = try Picture.gradient(width: 65_536, height: 1)
        #expect(
            throws: ImagingError.encodingFailed(reason: "a side of a JPEG is at most 65,535 pixels, not 65536")
        ) {
            try wide.encoded(as: .jpeg(quality: 90))
        }
    }

    @Test("decodes only the readable part of a buffer")
    func slice() throws {
        let picture = try Picture.noise(width: 5, height: 4)
        var buffer = ByteBuffer(string: "before")
        try buffer.writeImmutableBuffer(picture.encoded(as: .png))
        buffer.moveReaderIndex(forwardBy: 6)
        #expect(try Picture(decoding: buffer).pixels == picture.pixels)
    }

    @Test("names media types")
    func mediaTypes() {
        #expect(PictureFormat.jpeg.mediaType == "image/jpeg")
        #expect(PictureFormat.allCases.allSatisfy { $0.mediaType.hasPrefix("image/") })
        #expect(EncodedForm.png.format == .png)
        #expect(EncodedForm.jpeg(quality: 90).format == .jpeg)
    }
}
