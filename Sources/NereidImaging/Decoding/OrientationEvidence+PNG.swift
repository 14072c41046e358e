// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension OrientationEvidence {
    /// Adds what the chunks of a PNG say, before and after the pixels: `eXIf`, then EXIF data and XMP that programs such as
    /// ImageMagick write as text, then XMP (PNG, third edition, sections 5.3 and 11.3.3; XMP specification, part 3,
    /// section 1.1.5).
    mutating func add(png file: ByteReader) {
        var texts: [(kind: String, data: ByteReader)] = []
        var offset = 8
        chunks: while let length = file.uint32(at: offset), let name = file.slice(at: offset + 4, count: 4),
            let data = file.slice(at: offset + 8, count: length)
        {
            let kind = String(decoding: name.bytes, as: UTF8.self)
            switch kind {
            case "eXIf": add(exif: data)
            case "tEXt", "zTXt", "iTXt": texts.append((kind, data))
            case "IEND": break chunks
            default: break
            }
            offset += 12 + length
        }
        var budget = Self.textBudget
        for (kind, data) in texts {
            guard let text = PNGText(kind, data, budget: &budget) else { continue }
            text.content.withUnsafeBytes { bytes in
                let content = ByteReader(bytes: bytes, isBigEndian: true)
                switch text.keyword {
                case "Raw profile type exif", "Raw profile type APP1":
                    guard let profile = PNGText.profile(content.bytes) else { return }
                    profile.withUnsafeBytes { bytes in
                        let profile = ByteReader(bytes: bytes, isBigEndian: true)
                        text.keyword.hasSuffix("exif") ? add(exif: profile) : add(app1: profile)
                    }
                case "Raw profile type xmp":
                    PNGText.profile(content.bytes)?.withUnsafeBytes { bytes in
                        add(xmp: ByteReader(bytes: bytes, isBigEndian: true))
                    }
                case "XML:com.adobe.xmp": add(xmp: content)
                default: break
                }
            }
        }
    }

    /// The most bytes of text that are looked at in one picture. EXIF data has at most 64 KiB, twice that as text.
    private static let textBudget = 1 << 20
}

/// A text chunk of a PNG whose keyword may lead to metadata.
private struct PNGText {
    let keyword: String
    let content: [UInt8]

    /// - Parameters:
    ///   - kind: `tEXt`, `zTXt` or `iTXt`.
    ///   - budget: How many bytes the text may have; what it has is taken off. Longer compressed text is cut there.
    /// - Returns: `nil` when the keyword is another, the chunk is malformed, or it has more bytes than are left.
    init?(_ kind: String, _ data: ByteReader, budget: inout Int) {
        guard let end = data.bytes.prefix(80).firstIndex(of: 0) else { return nil }
        keyword = String(decoding: data.bytes[..<end], as: UTF8.self)
        guard keyword.hasPrefix("Raw profile type ") || keyword == "XML:com.adobe.xmp" else { return nil }
        var start = end + 1
        var isCompressed = kind == "zTXt"
        if isCompressed { start += 1 }
        if kind == "iTXt" {
            isCompressed = data.uint8(at: start) == 1
            start += 2
            // A language and the keyword in that language, each with an end of its own.
            for _ in 0..<2 {
                guard start <= data.bytes.count, let zero = data.bytes[start...].firstIndex(of: 0) else { return nil }
                start = zero + 1
            }
        }
        guard let stored = data.dropping(start)?.bytes else { return nil }
        if isCompressed {
            guard let inflated = Inflation.inflate(zlib: stored, limit: budget) else { return nil }
            content = inflated
        } else {
            guard stored.count <= budget else { return nil }
            content = Array(stored)
        }
        budget -= content.count
    }

    /// The bytes of a profile as ImageMagick writes it: an empty line, its name, its length, and hexadecimal digits in
    /// lines; `nil` when it is anything else.
    static func profile(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        let lines = text.split(separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false)
        guard lines.count == 4 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in lines[3] where digit != UInt8(ascii: "\n") && digit != UInt8(ascii: "\r") {
            guard let value = Character(Unicode.Scalar(digit)).hexDigitValue.map({ UInt8($0) }) else { break }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}
