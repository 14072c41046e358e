// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NIOCore
import TestSupport
import Testing

@testable import NereidImaging

@Suite("When a picture was taken")
struct CaptureTimeTests {
    @Test("is a date and time of ISO 8601, and no other text")
    func texts() {
        for text in [
            "2023-06-01T12:34:56", "2023-06-01T12:34:56+02:00", "2024-02-29T00:00:00-09:30", "0001-12-31T23:59:59",
        ] {
            #expect(CaptureTime(text)?.description == text)
        }
        let others = [
            "", "2023", "2023-06-01 12:34:56", "2023:06:01T12:34:56", "2023-06-01T12:34:56Z",
            "2023-06-01T12:34:56+2:000",
            "2023-06-01T12:34:56 02:00", "2023-06-01T12:34:56.789", "0000-06-01T12:34:56", "2023-00-01T12:34:56",
            "2023-13-01T12:34:56", "2023-06-31T12:34:56", "2023-02-29T12:34:56", "1900-02-29T12:34:56",
            "2023-06-00T12:34:56",
            "2023-06-01T24:00:00", "2023-06-01T12:60:00", "2023-06-01T12:34:60", "2023-06-01T12:34:56+15:00",
            "2023-06-01T12:34:56+02:60", "２023-06-01T12:34:5", "+023-06-01T12:34:56", "=HYPERLINK(\"x\")+2+",
        ]
        for text in others { #expect(CaptureTime(text) == nil, "\(text)") }
    }

    static let values: [(dateTime: String, offset: String?, text: String?)] = [
        ("2023:06:01 12:34:56", nil, "2023-06-01T12:34:56"),
        ("2023:06:01 12:34:56", "+02:00", "2023-06-01T12:34:56+02:00"),
        ("2023:06:01 12:34:56", "-10:30", "2023-06-01T12:34:56-10:30"),
        ("2023:06:01 12:34:56", "Z", "2023-06-01T12:34:56+00:00"),
        ("2023:06:01 12:34:56", "   :  ", "2023-06-01T12:34:56"),
        ("2023:06:01 12:34:56", "summer", "2023-06-01T12:34:56"),
        ("2023-06-01T12:34:56", nil, "2023-06-01T12:34:56"),
        ("0000:00:00 00:00:00", nil, nil),
        ("    :  :     :  :  ", nil, nil),
        ("2023:06:01 12:34", nil, nil),
        ("2023:06:01 12:34:56 and more", nil, nil),
        ("", nil, nil),
    ]

    @Test("is read from EXIF in either byte order, from its own directory or the first", arguments: values)
    func exif(value: (dateTime: String, offset: String?, text: String?)) {
        for (isBigEndian, isInFirst) in [(false, false), (true, false), (false, true), (true, true)] {
            let block = ExifBlock(
                dateTime: value.dateTime,
                offset: value.offset,
                isBigEndian: isBigEndian,
                isInFirstDirectory: isInFirst
            )
            block.bytes.withUnsafeBytes {
                #expect(CaptureTime(in: $0, of: .tiff)?.description == value.text)
            }
            block.webp.withUnsafeBytes {
                #expect(CaptureTime(in: $0, of: .webp)?.description == value.text)
            }
        }
    }

    @Test("goes with the picture, from JPEG and from PNG before and behind the pixels")
    func pictures() throws {
        let picture = try Picture.gradient(width: 24, height: 16)
        let block = ExifBlock(offset: "+02:00", isBigEndian: true)
        for file in try [block.jpeg(picture), block.png(picture, isLast: false), block.png(picture, isLast: true)] {
            let read = try Picture(decoding: file)
            #expect(read.taken?.description == "2023-06-01T12:34:56+02:00")
            #expect(read.size == picture.size)
            #expect(try Picture(decoding: file, appliesOrientation: false).taken == read.taken)
        }
        for bytes in try [picture.encoded(as: .png), picture.encoded(as: .jpeg(quality: 90))] {
            #expect(try Picture(decoding: bytes).taken == nil)
        }
        #expect(picture.taken == nil)
    }

    @Test("in files that are cut short or damaged is found or not, and never read beyond the end")
    func damaged() throws {
        let picture = try Picture.gradient(width: 8, height: 8)
        let block = ExifBlock(offset: "+02:00")
        let files: [(PictureFormat, [UInt8])] = try [
            (.jpeg, Array(block.jpeg(picture).readableBytesView)), (.tiff, block.bytes), (.webp, block.webp),
            (.png, Array(block.png(picture, isLast: false).readableBytesView)),
        ]
        var generator = SeededGenerator(seed: 5)
        for (format, file) in files {
            for count in 0..<min(file.count, 200) {
                file.prefix(count).withUnsafeBytes { _ = CaptureTime(in: $0, of: format) }
            }
            for _ in 0..<2000 {
                var bytes = file
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<min(bytes.count, 160), using: &generator)
                    bytes[place] = [0, 1, 0x7F, 0xFF, UInt8.random(in: 0...255, using: &generator)].randomElement(
                        using: &generator
                    )!
                }
                let found = bytes.withUnsafeBytes { CaptureTime(in: $0, of: format) }
                if let found { #expect(CaptureTime(found.description) == found) }
            }
        }
    }
}
