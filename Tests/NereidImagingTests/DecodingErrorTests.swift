// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import Testing

@testable import NereidImaging

@Suite("Decoding errors")
struct DecodingErrorTests {
    @Test(
        "bytes that are no picture",
        arguments: [
            "B", "hello, world", "GIF88a", "RIFF....", "\u{1}\u{2}\u{3}",
        ]
    )
    func notAPicture(text: String) {
        #expect(errorOfDecoding(text.utf8) == .notAPicture)
    }

    @Test("no bytes at all")
    func emptyFile() {
        #expect(errorOfDecoding([]) == .emptyFile)
        #expect(ImagingError.emptyFile.description.contains("the file is empty"))
    }

    @Test(
        "pictures of kinds that are not read",
        arguments: [
            ("P6 1 1 255 abc", "a Netpbm picture (PPM)"), ("qoif....", "QOI"), ("8BPS\0\u{1}", "Photoshop (PSD)"),
            ("\0\0\u{1}\0\u{1}\0", "an icon (ICO)"), ("<svg>", "SVG"), ("\0\0\0\u{C}JXL \r\n", "JPEG XL"),
        ]
    )
    func unsupportedKind(text: String, kind: String) {
        #expect(errorOfDecoding(text.utf8) == .unsupportedKind(kind))
    }

    @Test("kinds of JPEG that are not read")
    func unsupportedJPEG() throws {
        var jpeg = try Array(Picture.gradient(width: 8, height: 8).encoded(as: .jpeg(quality: 90)).readableBytesView)
        let frame = try #require(jpeg.indices.first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
        jpeg[frame + 1] = 0xC3
        #expect(errorOfDecoding(jpeg) == .unsupportedKind("a lossless JPEG"))
        jpeg[frame + 1] = 0xC5
        #expect(errorOfDecoding(jpeg) == .unsupportedKind("a hierarchical JPEG"))
        jpeg[frame + 1] = 0xC0
        jpeg[frame + 4] = 12
        #expect(errorOfDecoding(jpeg) == .unsupportedKind("a JPEG with 12 bits per sample"))
        jpeg[frame + 4] = 8
        jpeg[frame + 9] = 2
        #expect(errorOfDecoding(jpeg) == .unsupportedKind("a JPEG with 2 colour components"))
    }

    @Test("a JPEG cut short is damaged, wherever it is cut", arguments: [3, 20, 200, 500, 1000])
    func truncatedJPEG(kept: Int) throws {
        let jpeg = try Picture.noise(width: 64, height: 64).encoded(as: .jpeg(quality: 90))
        guard case .damaged(.jpeg, _)? = errorOfDecoding(jpeg.readableBytesView.prefix(kept)) else {
            Issue.record("accepted, or refused for another reason")
            return
        }
    }

    @Test("a JPEG that lacks nothing but its end marker is whole")
    func endlessJPEG() throws {
        let jpeg = try Picture.noise(width: 64, height: 64).encoded(as: .jpeg(quality: 90))
        let whole = try Picture(decoding: jpeg)
        let endless = try Picture(decoding: ByteBuffer(bytes: jpeg.readableBytesView.dropLast(2)))
        #expect(endless.pixels == whole.pixels)
    }

    @Test("stray bytes between the segments of a JPEG do no harm")
    func strayBytes() throws {
        let jpeg = try Picture.noise(width: 16, height: 16).encoded(as: .jpeg(quality: 90))
        let bytes = [0xFF, 0xD8, 0x00, 0x17, 0x2A] + jpeg.readableBytesView.dropFirst(2)
        // The first three bytes must still say JPEG, so the stray bytes follow a whole segment.
        let segment = 2 + Int(jpeg.readableBytesView.dropFirst(5).first!) + 2
        let stray = jpeg.readableBytesView.prefix(segment) + [0x17, 0x2A] + jpeg.readableBytesView.dropFirst(segment)
        #expect(errorOfDecoding(bytes) == .notAPicture)
        #expect(try Picture(decoding: ByteBuffer(bytes: stray)).pixels == Picture(decoding: jpeg).pixels)
    }

    @Test("a PNG cut short or with a wrong checksum is damaged")
    func damagedPNG() throws {
        let png = try Array(Picture.noise(width: 64, height: 64).encoded(as: .png).readableBytesView)
        for broken in [Array(png.prefix(1000)), Array(png.prefix(20)), png.replacing(at: 2000)] {
            guard case .damaged(.png, let reason)? = errorOfDecoding(broken) else {
                Issue.record("accepted, or refused for another reason")
                continue
            }
            #expect(!reason.isEmpty)
        }
    }

    @Test("more bytes than allowed")
    func encodedBytes() {
        let error = errorOfDecoding([UInt8](repeating: 0, count: 11), limits: DecodingLimits(encodedBytes: 10))
        #expect(error == .tooLarge(.encodedBytes, value: 11, limit: 10))
    }

    @Test("a longer side, or more pixels, than allowed; decided before any pixel is decoded")
    func size() throws {
        let picture = try Picture.gradient(width: 40, height: 30)
        let bmp = SmallFiles.bmp(width: 40, height: 30, bits: 24, pixels: [])
        let files = try [
            picture.encoded(as: .png), picture.encoded(as: .jpeg(quality: 90)), ByteBuffer(bytes: bmp),
        ]
        for file in files {
            #expect(
                errorOfDecoding(file, limits: DecodingLimits(side: 39)) == .tooLarge(.side, value: 40, limit: 39)
            )
            #expect(
                errorOfDecoding(file, limits: DecodingLimits(pixels: 1199))
                    == .tooLarge(.pixels, value: 1200, limit: 1199)
            )
        }
        #expect(try Picture(decoding: files[0], limits: DecodingLimits(side: 40, pixels: 1200)).size == picture.size)
    }

    @Test("a JPEG announcing 65,000 pixels a side costs nothing")
    func bomb() throws {
        var jpeg = try Array(Picture.gradient(width: 8, height: 8).encoded(as: .jpeg(quality: 90)).readableBytesView)
        let frame = try #require(jpeg.indices.first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
        jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0x75, 0x30, 0x75, 0x30])
        #expect(errorOfDecoding(jpeg) == .tooLarge(.pixels, value: 900_000_000, limit: 100_000_000))
        jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xFD, 0xE8, 0xFD, 0xE8])
        #expect(errorOfDecoding(jpeg) == .tooLarge(.side, value: 65_000, limit: 32_768))
    }

    @Test("too little time", arguments: [EncodedForm.png, .jpeg(quality: 90)])
    func timeout(form: EncodedForm) throws {
        let file = try Picture.gradient(width: 64, height: 64).encoded(as: form)
        let error = errorOfDecoding(file, limits: DecodingLimits(duration: .zero))
        #expect(error == .timedOut(limit: .zero))
    }

    @Test("a progressive JPEG with so many scans that it would take too long")
    func manyScans() throws {
        let jpeg = try Array(
            Picture.gradient(width: 2000, height: 2000).encoded(as: .jpeg(quality: 50)).readableBytesView
        )
        let scan: [UInt8] = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0]
        let bytes = jpeg.dropLast(2) + Array(repeating: scan, count: 600).joined() + [0xFF, 0xD9]
        #expect(errorOfDecoding(bytes) == .timedOut(limit: .seconds(10)))
    }

    @Test("every message says what to do, and every limit names its setting")
    func messages() {
        let errors: [(ImagingError, String)] = [
            (.notAPicture, "Pictures read here: JPEG, PNG, WebP, TIFF, GIF, HEIF, AVIF, BMP"),
            (.unsupportedKind("QOI"), "QOI. Convert it"), (.damaged(.png, reason: "cut short"), "Send it again"),
            (.tooLarge(.encodedBytes, value: 2, limit: 1), "raise max_picture_bytes"),
            (.tooLarge(.side, value: 2, limit: 1), "raise max_picture_side"),
            (.tooLarge(.pixels, value: 2, limit: 1), "raise max_picture_pixels"),
            (.timedOut(limit: .seconds(10)), "raise decode_timeout"),
            (.wrongPixelCount(size: PixelSize(width: 1, height: 1), bytes: 2), "three bytes a pixel"),
            (
                .wrongPictureSize(PixelSize(width: 1, height: 1), expected: PixelSize(width: 2, height: 2)),
                "2×2 pixels, not 1×1"
            ),
            (.destinationTooSmall(bytes: 1, needed: 2), "byteCount(for:)"), (.encodingFailed(reason: "x"), "x"),
            (.textFailed(reason: "x"), "font"), (.poolIsShutDown, "stopped"),
            (.cancelled, "not needed"), (.deadlinePassed, "before its deadline"),
            (.tooLarge(.memory, value: 2, limit: 1), "raise decode_memory"),
            (.tooLarge(.pixelsAtOnce, value: 2, limit: 1), "raise max_picture_pixels"),
        ]
        for (error, part) in errors {
            #expect(error.description.contains(part))
        }
    }
}

extension [UInt8] {
    fileprivate func replacing(at index: Int) -> [UInt8] {
        var copy = self
        copy[index] ^= 0x55
        return copy
    }
}
