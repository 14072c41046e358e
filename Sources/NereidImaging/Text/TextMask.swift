// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CVips

/// A line of text as coverage, for drawing labels on pictures.
public struct TextMask: Sendable {
    /// Pixels from left to right: as many as the text takes.
    public let width: Int
    /// Pixels from top to bottom: exactly what was asked for.
    public let height: Int
    /// `height` rows of `width` values: 0 where the text leaves the background, 255 where it covers it wholly.
    public let coverage: [UInt8]

    /// Draws `text` on one line, in DejaVu Sans or else the system's sans-serif font.
    ///
    /// Masks of one height share their baseline, whatever letters they hold. Line breaks and control characters
    /// become spaces; text beyond 500 characters is left out; empty text has no width. Blocks its thread, and a lock in
    /// the font library lets only one thread draw at a time: call it through ``ImagingPool`` and keep the masks of
    /// labels that come again.
    ///
    /// - Parameters:
    ///   - text: Plain text; markup in it is drawn as it is written.
    ///   - pixels: The height of the line, from above accented capitals to below descenders: 4 to 512.
    /// - Throws: ``ImagingError/textFailed(reason:)`` for other heights, or when libvips has no text or no font.
    public init(_ text: String, height pixels: Int) throws {
        guard (4...512).contains(pixels) else {
            throw ImagingError.textFailed(reason: "a line is 4 to 512 pixels high, not \(pixels)")
        }
        let line = text.prefix(500).map { $0.isNewline || $0.isControl ? " " : $0 }
        guard line.contains(where: { !$0.isWhitespace }) else {
            (width, height, coverage) = (0, pixels, [])
            return
        }
        guard Vips.isStarted else { throw ImagingError.textFailed(reason: "libvips could not start") }
        defer { vips_thread_shutdown() }
        let size = Double(pixels) / Self.lineHeight
        guard let image = cvips_text(String(line).escapedForMarkup, "DejaVu Sans,Sans \(size)") else {
            throw ImagingError.textFailed(reason: Vips.takeErrorMessage())
        }
        let ink = VipsImageOwner(image)
        // libvips cuts the picture down to the ink; its offsets say where in the line that was.
        let left = max(Int(vips_image_get_xoffset(ink.image)), 0)
        let top = Int(vips_image_get_yoffset(ink.image))
        let (width, inkWidth) = (left + ink.size.width, ink.size.width)
        var coverage = [UInt8](repeating: 0, count: width * pixels)
        let isComplete = try ink.forEachRow { y, row throws(ImagingError) in
            guard (0..<pixels).contains(top + y) else { return }
            let start = (top + y) * width + left
            for x in 0..<inkWidth {
                coverage[start + x] = row.load(fromByteOffset: x, as: UInt8.self)
            }
        }
        guard isComplete else { throw ImagingError.textFailed(reason: Vips.takeErrorMessage()) }
        (self.width, height, self.coverage) = (width, pixels, coverage)
    }

    /// The height of a line of DejaVu Sans as a multiple of the font's size.
    private static let lineHeight = 1.17
}

extension Character {
    fileprivate var isControl: Bool {
        unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}

extension String {
    /// The text with everything that Pango's markup would read as such written another way.
    fileprivate var escapedForMarkup: String {
        reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&apos;"
            default: escaped.append(character)
            }
        }
    }
}
