// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NIOCore

/// Bytes that are no picture, named by their beginning, with what to send in their place.
///
/// The first 4,096 bytes are looked at. Plain text and unknown bytes have no name here: ``ImagingError/notAPicture`` says
/// all that can be said of them.
public struct ForeignContent: Sendable, Hashable, CustomStringConvertible {
    /// What the bytes are, with its article: `an MP4 video`.
    public let found: String
    /// What to do, in a sentence.
    public let advice: String

    /// Names something.
    public init(found: String, advice: String) {
        self.found = found
        self.advice = advice
    }

    /// Names bytes by their beginning; `nil` for pictures of any kind, plain text and unknown bytes.
    public init?(recognising bytes: ByteBuffer) {
        self.init(recognising: bytes.readableBytesUInt8Span)
    }

    init?(recognising bytes: Span<UInt8>) {
        let head = (0..<min(bytes.count, Self.length)).map { bytes[$0] }
        let content =
            Self.mangledPicture(head) ?? Self.video(head) ?? Self.binary(head) ?? Self.wrappedText(head)
        guard let content else { return nil }
        self = content
    }

    /// What it is, and what to do.
    public var description: String { "\(found). \(advice)" }

    /// So many bytes are looked at.
    static let length = 4096

    /// What to send, in the words of a client.
    static let sendBytes =
        "Send the picture's own bytes as the body (curl --data-binary @picture.jpg), or a form "
        + "(multipart/form-data) with the picture in a part called ‘file’ (curl -F file=@picture.jpg)."
}

extension ForeignContent {
    /// A picture that was altered on its way: taken for text, or sent without its line breaks.
    private static func mangledPicture(_ head: [UInt8]) -> ForeignContent? {
        let isPNG =
            head.starts(with: [0x89, 0x50, 0x4E, 0x47])
            && !head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        if isPNG, head.count >= 8 {
            return ForeignContent(
                found: "a PNG picture whose line breaks were changed on the way",
                advice: "Send it as it is (curl --data-binary instead of -d; a binary transfer instead of one of text)."
            )
        }
        // U+FFFD in UTF-8 is what a decoder of text puts in the place of bytes that are none; others read Latin-1.
        let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]
        let mangled: [[UInt8]] = [
            replacement + replacement + replacement, replacement + Array("PNG".utf8),
            [0xC3, 0xBF, 0xC3, 0x98, 0xC3, 0xBF], [0xC2, 0x89] + Array("PNG".utf8),
        ]
        guard mangled.contains(where: { head.starts(with: $0) }) else { return nil }
        return ForeignContent(
            found: "a picture that was read as text on the way, which destroys it",
            advice: "Open the file in binary mode, and send its bytes as they are."
        )
    }

    /// Files of programs, archives and data.
    private static func binary(_ head: [UInt8]) -> ForeignContent? {
        for (signature, offset, found, advice) in signatures where head.has(signature, at: offset) {
            return ForeignContent(found: found, advice: advice)
        }
        for (signature, found, advice) in binarySignatures where head.starts(with: signature) {
            return ForeignContent(found: found, advice: advice)
        }
        if head.has("RIFF"), head.has("WAVE", at: 8) {
            return ForeignContent(found: "a sound file (WAV)", advice: sendBytes)
        }
        if head.has("PK\u{3}\u{4}") || head.has("PK\u{5}\u{6}") { return zip(head) }
        if head.count >= 64, head.allSatisfy({ $0 == 0 }) {
            return ForeignContent(
                found: "bytes that are all zero, as a disk that was full or an interrupted copy leaves",
                advice: "Copy the picture again."
            )
        }
        return nil
    }

    private static func zip(_ head: [UInt8]) -> ForeignContent {
        // The name of the first file is where formats on top of zip show themselves.
        let start = String(decoding: head.prefix(512), as: UTF8.self)
        let isDocument = ["[Content_Types].xml", "word/", "xl/", "ppt/", "mimetypeapplication/"].contains {
            start.contains($0)
        }
        if isDocument {
            return ForeignContent(found: "an office document", advice: "Export its pictures, and send those.")
        }
        return ForeignContent(
            found: "a zip archive",
            advice: "Send zips of pictures to /v1/models/{model}/jobs; this call takes the pictures themselves."
        )
    }

    private static let unpack = "Unpack it, and send the pictures in it; /v1/models/{model}/jobs takes them in a zip."
    private static let pages = "Export its pages as pictures (pdftoppm -r 150 -jpeg FILE page), and send those."
    private static let encode = "Write the pixels as a PNG, and send that."

    private static let signatures: [(signature: String, offset: Int, found: String, advice: String)] = [
        ("%PDF", 0, "a PDF document", pages),
        ("%!PS", 0, "a PostScript document", "Convert it to PNG (gs -sDEVICE=png16m -r150 -o page-%d.png FILE)."),
        ("{\\rtf", 0, "an RTF document", "Export its pictures, and send those."),
        ("AT&TFORM", 0, "a DjVu document", "Export its pages as pictures (ddjvu), and send those."),
        ("BZh", 0, "a bzip2 archive", unpack),
        ("7z", 0, "a 7-Zip archive", unpack),
        ("Rar!", 0, "a RAR archive", unpack),
        ("ustar", 257, "a tar archive", unpack),
        ("fLaC", 0, "a sound file (FLAC)", sendBytes),
        ("ID3", 0, "a sound file (MP3)", sendBytes),
        ("SQLite format 3", 0, "an SQLite database", sendBytes),
        ("GGUF", 0, "a GGUF model", sendBytes),
        ("TFL3", 4, "a TensorFlow Lite model", sendBytes),
        ("PAR1", 0, "a Parquet table", encode),
        ("\u{7F}ELF", 0, "a program", sendBytes),
    ]

    private static let binarySignatures: [([UInt8], String, String)] = [
        (
            [0x1F, 0x8B], "gzip data",
            "Send the picture itself, or the header Content-Encoding: gzip, which this server decodes."
        ),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz archive", unpack),
        ([0x28, 0xB5, 0x2F, 0xFD], "Zstandard data", unpack),
        ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], "a NumPy array (.npy)", encode),
        ([0x89, 0x48, 0x44, 0x46], "an HDF5 file", encode),
        ([0xD0, 0xCF, 0x11, 0xE0], "an office document of the old kind", "Export its pictures, and send those."),
        ([0x80, 0x04, 0x95], "a Python pickle", encode),
        ([0x80, 0x05, 0x95], "a Python pickle", encode),
        ([0x08, 0x08, 0x12], "an ONNX graph", sendBytes),
        ([0x00, 0x05, 0x16, 0x07], "the AppleDouble companion of a file (._NAME), without its content", sendBytes),
        ([0xFF, 0xFB], "a sound file (MP3)", sendBytes),
    ]
}

extension Collection where Element == UInt8, Index == Int {
    /// Whether ASCII text is at a place.
    func has(_ text: String, at offset: Int = 0) -> Bool {
        let bytes = text.utf8
        guard count >= offset + bytes.count else { return false }
        return self[(startIndex + offset)...].starts(with: bytes)
    }
}
