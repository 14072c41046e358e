// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What a file is by its first bytes.
enum FileKind: Equatable {
    case zip
    case legacy
    case pickle
    /// Something else, in words, and what to do about it.
    case foreign(found: String, advice: String)

    init(_ bytes: CheckpointBytes) {
        if bytes.starts(with: "PK\u{3}\u{4}") || bytes.starts(with: "PK\u{5}\u{6}") {
            self = .zip
        } else if bytes.count >= 2, bytes[0] == 0x80, (2...5).contains(bytes[1]) {
            // The old format begins with a pickle that holds nothing but a long integer.
            let isLong = bytes.count >= 4 && bytes[2] == PickleOpcode.long1.rawValue && bytes[3] == 10
            self = isLong ? .legacy : .pickle
        } else {
            self = Self.foreign(bytes)
        }
    }

    private static func foreign(_ bytes: CheckpointBytes) -> Self {
        if bytes.count == 0 {
            return .foreign(found: "an empty file", advice: "fetch it again")
        }
        if bytes.starts(with: "version https://git-lfs.github.com/spec/") {
            return .foreign(
                found: "a Git LFS pointer, which stands in the place of the weights",
                advice: "run ‘git lfs pull’ in the repository that it comes from"
            )
        }
        if isSafetensors(bytes) {
            return .foreign(
                found: "a safetensors file, which holds weights without the network that they belong to",
                advice: exportAdvice
            )
        }
        if isGraph(bytes) {
            return .foreign(found: "an ONNX graph", advice: "name it .onnx and serve it as it is")
        }
        for (signature, offset, found, advice) in signatures where bytes.starts(with: signature, at: offset) {
            return .foreign(found: found, advice: advice)
        }
        // Signatures with bytes above 127, which no static text can hold.
        for (signature, found, advice) in binarySignatures
        where bytes.count >= signature.count && signature.indices.allSatisfy({ bytes[$0] == signature[$0] }) {
            return .foreign(found: found, advice: advice)
        }
        return text(bytes)
    }

    private static let exportAdvice = "give the checkpoint (.pt) that the training wrote, or an ONNX export"
    private static let unpackAdvice = "unpack it and give the checkpoint inside"

    private static let signatures: [(StaticString, Int, String, String)] = [
        ("BZh", 0, "a bzip2 archive", unpackAdvice),
        ("7z", 0, "a 7-Zip archive", unpackAdvice),
        ("ustar", 257, "a tar archive", unpackAdvice),
        ("TFL3", 4, "a TensorFlow Lite model", exportAdvice),
        ("GGUF", 0, "a GGUF model", exportAdvice),
        ("%PDF", 0, "a PDF document", "fetch the file again"),
    ]

    private static let binarySignatures: [([UInt8], String, String)] = [
        ([0x1F, 0x8B], "a gzip archive", unpackAdvice),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz archive", unpackAdvice),
        ([0x28, 0xB5, 0x2F, 0xFD], "a Zstandard archive", unpackAdvice),
        ([0x89, 0x48, 0x44, 0x46], "an HDF5 file, as Keras writes", exportAdvice),
        ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], "a NumPy array", exportAdvice),
        ([0x80], "a pickle of a protocol that is not read", "load it in Python and write it with torch.save"),
    ]

    /// A length of a JSON header, then that header.
    private static func isSafetensors(_ bytes: CheckpointBytes) -> Bool {
        guard bytes.count > 9, bytes[8] == 0x7B else { return false }
        let length = bytes.integer(UInt64.self, at: 0)
        return length >= 2 && length <= UInt64(bytes.count - 8)
    }

    /// `ModelProto`: field 1 is the format's version; one of the fields that tell of the writer or the graph follows.
    private static func isGraph(_ bytes: CheckpointBytes) -> Bool {
        guard bytes.count > 3, bytes[0] == 0x08, (1...64).contains(bytes[1]) else { return false }
        return [0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42].contains(bytes[2])
    }

    private static func text(_ bytes: CheckpointBytes) -> Self {
        let start = ByteExtent(start: 0, count: min(bytes.count, 512))
        let head = (start.start..<start.end).map { bytes[$0] }
        let visible = head.drop { [0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
        let lowered = String(decoding: visible.prefix(64), as: UTF8.self).lowercased()
        if lowered.hasPrefix("<") {
            let isPage = ["<!doctype html", "<html", "<head", "<!--"].contains { lowered.hasPrefix($0) }
            return .foreign(
                found: isPage ? "an HTML page, as a failed download leaves" : "an XML file",
                advice: isPage ? "fetch the file itself, not the page about it" : exportAdvice
            )
        }
        if head.allSatisfy({ $0 >= 0x20 || [0x09, 0x0A, 0x0D].contains($0) }) {
            return .foreign(found: "a text file", advice: "fetch it again, or give the checkpoint itself")
        }
        return .foreign(found: "a file of an unknown kind", advice: "fetch it again, or give the checkpoint itself")
    }
}
