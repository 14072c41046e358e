// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A file that is no checkpoint, named by its first bytes, with what to do about it.
struct ForeignFile: Hashable {
    /// What it is, with its article.
    let found: String
    /// What to do, as the end of a sentence.
    let advice: String

    init(found: String, advice: String) {
        self.found = found
        self.advice = advice
    }

    /// Looks at the first bytes of a file that is neither a zip nor a pickle.
    init(_ bytes: CheckpointBytes) {
        self = Self.whole(bytes) ?? Self.signed(bytes) ?? Self.message(bytes) ?? Self.text(bytes)
    }

    static let export = "give the checkpoint (.pt) that the training wrote, or an ONNX export"
    private static let unpack = "unpack it and give the checkpoint inside"
    private static let picture = "give the model first: nereid predict MODEL PICTURE"
    private static let video =
        "a model takes pictures: take frames out of the video with ffmpeg, and give the model first"
    static let fetch = "fetch it again"
    private static let unknown = "fetch it again, or give the checkpoint itself"

    private static func whole(_ bytes: CheckpointBytes) -> ForeignFile? {
        if bytes.count == 0 { return ForeignFile(found: "an empty file", advice: fetch) }
        if bytes.starts(with: "version https://git-lfs.github.com/spec/") {
            return ForeignFile(
                found: "a Git LFS pointer, which stands in the place of the weights",
                advice: "run ‘git lfs pull’ in the repository that it comes from"
            )
        }
        if isSafetensors(bytes) {
            return ForeignFile(
                found: "a safetensors file, which holds weights without the network that they belong to",
                advice: export
            )
        }
        if isEngine(bytes) {
            return ForeignFile(
                found: "a TensorRT engine, which runs on the kind of GPU that it was made on and nowhere else",
                advice: "give the ONNX file or the checkpoint that it was made from"
            )
        }
        let head = min(bytes.count, 4096)
        if head >= 512, (0..<head).allSatisfy({ bytes[$0] == 0 }) {
            return ForeignFile(
                found: "a file of zeros, as a full disk or an interrupted copy leaves",
                advice: "copy it again"
            )
        }
        return nil
    }

    private static func signed(_ bytes: CheckpointBytes) -> ForeignFile? {
        for (signature, offset, found, advice) in signatures where bytes.starts(with: signature, at: offset) {
            return ForeignFile(found: found, advice: advice)
        }
        for (signature, found, advice) in binarySignatures
        where bytes.count >= signature.count && signature.indices.allSatisfy({ bytes[$0] == signature[$0] }) {
            return ForeignFile(found: found, advice: advice)
        }
        return nil
    }

    private static let signatures: [(StaticString, Int, String, String)] = [
        ("BZh", 0, "a bzip2 archive", unpack),
        ("7z", 0, "a 7-Zip archive", unpack),
        ("Rar!", 0, "a RAR archive", unpack),
        ("ustar", 257, "a tar archive", unpack),
        ("TFL3", 4, "a TensorFlow Lite model", export),
        ("ORTM", 4, "a model in the format ORT of ONNX Runtime", "give the ONNX file that it was made from"),
        ("GGUF", 0, "a GGUF model", export),
        ("RKNN", 0, "a model for Rockchip's processors (RKNN)", export),
        ("7767517", 0, "a network of ncnn", export),
        ("%PDF", 0, "a PDF document", "give a model: \(export)"),
        ("GIF8", 0, "a picture (GIF)", picture),
        ("WEBP", 8, "a picture (WebP)", picture),
        ("II*", 0, "a picture (TIFF)", picture),
        ("MM\0*", 0, "a picture (TIFF)", picture),
        ("ftyphei", 4, "a picture (HEIF)", picture),
        ("ftypmif", 4, "a picture (HEIF)", picture),
        ("ftypavi", 4, "a picture (AVIF)", picture),
        ("ftyp", 4, "a video (MP4 or QuickTime)", video),
        ("moov", 4, "a video (QuickTime)", video),
        ("AVI ", 8, "a video (AVI)", video),
        ("SQLite format 3", 0, "an SQLite database", export),
        ("\u{7F}ELF", 0, "a program", export),
    ]

    private static let binarySignatures: [([UInt8], String, String)] = [
        ([0x1F, 0x8B], "a gzip archive", unpack),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz archive", unpack),
        ([0x28, 0xB5, 0x2F, 0xFD], "a Zstandard archive", unpack),
        ([0x89, 0x48, 0x44, 0x46], "an HDF5 file, as Keras writes", export),
        ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], "a NumPy array", export),
        ([0x80], "a pickle of a protocol that is not read", "load it in Python and write it with torch.save"),
        ([0xFF, 0xD8, 0xFF], "a picture (JPEG)", picture),
        ([0x89, 0x50, 0x4E, 0x47], "a picture (PNG)", picture),
        ([0x1A, 0x45, 0xDF, 0xA3], "a video (Matroska or WebM)", video),
        ([0x00, 0x00, 0x01, 0xBA], "a video (MPEG)", video),
        (
            [0x00, 0x05, 0x16, 0x07], "the AppleDouble companion of a file (._NAME), without its content",
            "give the file itself"
        ),
    ]

    /// A length of a JSON header, then that header.
    private static func isSafetensors(_ bytes: CheckpointBytes) -> Bool {
        guard bytes.count > 9, bytes[8] == 0x7B else { return false }
        let length = bytes.integer(UInt64.self, at: 0)
        return length >= 2 && length <= UInt64(bytes.count - 8)
    }

    /// Plans of TensorRT; Ultralytics puts a length and metadata in JSON before them.
    private static func isEngine(_ bytes: CheckpointBytes) -> Bool {
        func isPlan(at offset: Int) -> Bool {
            bytes.starts(with: "ftrt", at: offset) || bytes.starts(with: "ptrt", at: offset)
        }
        if isPlan(at: 0) { return true }
        guard bytes.count > 8, bytes[4] == 0x7B else { return false }
        let length = Int(bytes.integer(UInt32.self, at: 0))
        return length < 1 << 20 && isPlan(at: 4 + length)
    }

    private static func text(_ bytes: CheckpointBytes) -> ForeignFile {
        let head = (0..<min(bytes.count, 2048)).map { bytes[$0] }
        let visible = head.drop { [0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
        let start = String(decoding: visible, as: UTF8.self)
        let lowered = start.prefix(64).lowercased()
        if lowered.hasPrefix("<") { return markup(start, lowered) }
        guard head.allSatisfy({ $0 >= 0x20 || [0x09, 0x0A, 0x0D].contains($0) }) else {
            return ForeignFile(found: "a file of an unknown kind", advice: unknown)
        }
        if lowered.hasPrefix("[net]") || lowered.hasPrefix("[convolutional]") {
            return ForeignFile(found: "a network's description for Darknet", advice: export)
        }
        return ForeignFile(found: "a text file", advice: unknown)
    }

    private static func markup(_ start: String, _ lowered: String) -> ForeignFile {
        let isPage = ["<!doctype html", "<html", "<head", "<body", "<!--"].contains { lowered.hasPrefix($0) }
        if isPage {
            return ForeignFile(
                found: "an HTML page (a web page), as a failed download leaves",
                advice: "fetch the file itself, not the page about it"
            )
        }
        if start.contains("<net ") {
            return ForeignFile(found: "a network of OpenVINO (its .xml; the weights are in a .bin)", advice: export)
        }
        return ForeignFile(found: "an XML file", advice: export)
    }
}
