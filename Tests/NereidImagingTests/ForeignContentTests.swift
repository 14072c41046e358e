// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import Testing

@testable import NereidImaging

@Suite("Bytes that are something else than a picture")
struct ForeignContentTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let bytes: [UInt8]
        let found: String
        var advice = ""

        init(_ text: String, _ found: String, _ advice: String = "") {
            self.init(Array(text.utf8), found, advice)
        }

        init(_ bytes: [UInt8], _ found: String, _ advice: String = "") {
            (self.bytes, self.found, self.advice) = (bytes, found, advice)
        }

        var testDescription: String { found }
    }

    private static let encoded = Data(
        [0xFF, 0xD8, 0xFF, 0xE0] + (0..<80).map { UInt8($0) }
    ).base64EncodedString()

    private static let texts = [
        Sample("{\"instances\": [{\"b64\": \"\(encoded)\"}]}", "JSON that holds a picture as base64", "not JSON"),
        Sample("\u{FEFF} [1, 2]", "JSON", "--data-binary"),
        Sample(encoded, "base64 text of a JPEG picture", "Decode it"),
        Sample("\"iVBORw0KGgoAAAANSUhEUg==\"", "base64 text of a PNG picture", "‘file’"),
        Sample("\r\nR0lGODlhAQABAAAAACw=", "base64 text of a GIF picture"),
        Sample("data:image/png;base64,iVBORw0KGgo=", "a data: URL", "comma"),
        Sample("<!DOCTYPE html><html>", "an HTML page (a web page)", "picture itself"),
        Sample("<?xml version=\"1.0\"?><list/>", "an XML document"),
        Sample("--b\r\nContent-Disposition: form-data; name=file\r\n\r\n", "a form without the header", "boundary"),
        Sample("image=%2F9j%2F4AAQ", "form fields (application/x-www-form-urlencoded)"),
        Sample("https://example.org/a.jpg", "the address of something", "fetches nothing"),
        Sample("@picture.jpg", "a file's name behind an @"),
        Sample("FFD8FFE000104A464946", "a picture as hexadecimal digits"),
        Sample("version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer", "git lfs pull"),
    ]

    private static let videos = [
        Sample("\0\0\0\u{18}ftypisom\0\0\0\0isommp42", "an MP4 video", "ffmpeg -i FILE"),
        Sample("\0\0\0\u{14}ftypqt  \0\0\0\0qt  ", "a QuickTime video (MOV)", "ffmpeg"),
        Sample("\0\0\0\u{8}wide\0\0\0\0mdat", "a QuickTime video (MOV)", "ffmpeg"),
        Sample("\0\0\0\u{18}ftyp3gp5\0\0\0\0", "a 3GP video"),
        Sample([0x1A, 0x45, 0xDF, 0xA3, 0x9F, 0x42, 0x82, 0x84] + Array("webm".utf8), "a WebM video", "ffmpeg"),
        Sample([0x1A, 0x45, 0xDF, 0xA3, 0x9F, 0x42, 0x82, 0x88] + Array("matroska".utf8), "a Matroska video (MKV)"),
        Sample("RIFF\0\0\0\0AVI LIST", "an AVI video"),
        Sample((0..<600).map { $0 % 188 == 0 ? 0x47 : 1 }, "an MPEG transport stream (TS)"),
        Sample((0..<600).map { $0 % 192 == 4 ? 0x47 : 1 }, "an MPEG transport stream (TS)"),
        Sample([0, 0, 1, 0xBA, 0x44], "an MPEG video (program stream)"),
        Sample([0, 0, 0, 1, 0x67, 0x64], "an H.264 video"),
        Sample([0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6], "a Windows Media video"),
        Sample("FLV\u{1}\u{5}", "a Flash video"), Sample("OggS\0", "an Ogg video"),
    ]

    private static let files = [
        Sample("%PDF-1.7", "a PDF document", "pdftoppm"), Sample("%!PS-Adobe", "a PostScript document"),
        Sample([0x1F, 0x8B, 8, 0], "gzip data", "Content-Encoding: gzip"),
        Sample("PK\u{3}\u{4}\u{14}\0\0\0\u{8}\0......................a.png", "a zip archive", "/jobs"),
        Sample("PK\u{3}\u{4}\u{14}\0\0\0\u{8}\0......................[Content_Types].xml", "an office document"),
        Sample("BZh91AY", "a bzip2 archive"), Sample("7z\u{BC}", "a 7-Zip archive"),
        Sample("Rar!\u{1A}", "a RAR archive"),
        Sample([UInt8](repeating: 1, count: 257) + Array("ustar".utf8), "a tar archive"),
        Sample([0x93] + Array("NUMPY".utf8), "a NumPy array", "PNG"),
        Sample([0x89, 0x48, 0x44, 0x46, 0x0D], "an HDF5 file"),
        Sample("RIFF....WAVE", "a sound file (WAV)"),
        Sample([UInt8](repeating: 0, count: 100), "bytes that are all zero"),
        Sample(
            [0x89, 0x50, 0x4E, 0x47, 0x1A, 0, 0, 0],
            "a PNG picture whose line breaks were changed",
            "--data-binary"
        ),
        Sample([0x89, 0x50, 0x4E, 0x47, 0x0A, 0x1A, 0x0A, 0], "a PNG picture whose line breaks were changed"),
        Sample([0xEF, 0xBF, 0xBD, 0x50, 0x4E, 0x47, 0x0D], "a picture that was read as text", "binary mode"),
        Sample([0xC3, 0xBF, 0xC3, 0x98, 0xC3, 0xBF], "a picture that was read as text"),
    ]

    @Test("are named, with what to send instead", arguments: texts + videos + files)
    func named(sample: Sample) throws {
        guard case .foreign(let content)? = errorOfDecoding(sample.bytes) else {
            Issue.record("\(String(describing: errorOfDecoding(sample.bytes)))")
            return
        }
        #expect(content.found.hasPrefix(sample.found))
        #expect(sample.advice.isEmpty || content.advice.contains(sample.advice))
        #expect(content.advice.hasSuffix("."))
        let words = ImagingError.foreign(content).description
        #expect(words.hasPrefix("These bytes are not a picture but \(sample.found)"))
        #expect(words.contains("JPEG, PNG"))
    }

    @Test(
        "are not told from plain text",
        arguments: ["Qk0 is not BMP", "/9j/ is the start of a JPEG", "a = b", "TIFF"]
    )
    func plain(text: String) {
        #expect(errorOfDecoding(text.utf8) == .notAPicture)
    }

    /// A TIFF's first directory with these entries.
    private static func tiff(_ entries: [(tag: UInt16, value: UInt32)]) -> [UInt8] {
        var buffer = ByteBuffer(string: "II*\0")
        buffer.writeInteger(UInt32(8), endianness: .little)
        buffer.writeInteger(UInt16(entries.count), endianness: .little)
        for (tag, value) in entries {
            buffer.writeInteger(tag, endianness: .little)
            buffer.writeInteger(UInt16(4), endianness: .little)
            buffer.writeInteger(UInt32(1), endianness: .little)
            buffer.writeInteger(value, endianness: .little)
        }
        return Array(buffer.readableBytesView)
    }

    @Test(
        "raw files of cameras are not answered by their thumbnails",
        arguments: [
            (tiff([(0xFE, 1), (0xC612, 0x401)]), "DNG"), (tiff([(0xFE, 1), (0x14A, 64)]), "NEF"),
            (Array("II*\0\u{10}\0\0\0CR\u{2}\0".utf8), "CR2"), (Array("IIRO\u{8}\0\0\0".utf8), "ORF"),
            (Array("IIU\0\u{8}\0\0\0".utf8), "RW2"), (Array("FUJIFILMCCD-RAW 0201".utf8), "RAF"),
            (Array("\0\0\0\u{18}ftypcrx \0\0\0\u{1}crx ".utf8), "CR3"), (Array("FOVb".utf8), "X3F"),
        ] as [([UInt8], String)]
    )
    func raw(bytes: [UInt8], name: String) {
        guard case .unsupportedKind(let kind)? = errorOfDecoding(bytes) else {
            Issue.record("\(String(describing: errorOfDecoding(bytes)))")
            return
        }
        #expect(kind.hasPrefix("a camera's raw file (") && kind.contains(name))
    }

    @Test("a TIFF with smaller copies of its picture is a TIFF")
    func pyramid() {
        #expect(
            RawPicture.name(of: ByteBuffer(bytes: Self.tiff([(0xFE, 0), (0x14A, 64)])).readableBytesUInt8Span) == nil
        )
        #expect(RawPicture.name(of: ByteBuffer(bytes: Self.tiff([(0xFE, 1)])).readableBytesUInt8Span) == nil)
    }

    @Test(
        "kinds of picture that are not read keep their name",
        arguments: [
            ([UInt8](repeating: 0, count: 128) + Array("DICM".utf8), "DICOM"),
            (Array("<?xml version=\"1.0\"?>\n<!-- drawn --><svg xmlns=\"http://www.w3.org/2000/svg\">".utf8), "SVG"),
            ([0xFF, 0x0A, 1], "JPEG XL"), ([0x49, 0x49, 0xBC, 0x01], "JPEG XR"),
        ] as [([UInt8], String)]
    )
    func unread(bytes: [UInt8], kind: String) {
        #expect(errorOfDecoding(bytes) == .unsupportedKind(kind))
    }
}
