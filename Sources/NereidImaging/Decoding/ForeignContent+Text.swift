// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension ForeignContent {
    /// Text that holds, names or stands for a picture; `nil` for other text, and for bytes that are none.
    static func wrappedText(_ head: [UInt8]) -> ForeignContent? {
        guard let text = Text(head) else { return nil }
        return base64(text) ?? markup(text) ?? structured(text) ?? reference(text)
    }

    /// The beginning of a text.
    private struct Text {
        /// Without white space and byte order mark at the start.
        let start: Substring
        let lowered: String

        /// `nil` when the bytes are no text.
        init?(_ head: [UInt8]) {
            let isText = head.allSatisfy { $0 >= 0x20 || [0x09, 0x0A, 0x0C, 0x0D].contains($0) }
            guard isText, !head.isEmpty else { return nil }
            let text = String(decoding: head, as: UTF8.self)
            start = text.drop { $0.isWhitespace || $0 == "\u{FEFF}" }
            lowered = String(start.prefix(512)).lowercased()
        }
    }

    private static func base64(_ text: Text) -> ForeignContent? {
        if text.lowered.hasPrefix("data:") {
            return ForeignContent(
                found: "a data: URL, which holds a picture as base64 text",
                advice: "Decode what follows the comma. \(sendBytes)"
            )
        }
        let unquoted = text.start.drop { $0 == "\"" || $0 == "'" }
        guard let name = encodedPicture(unquoted) else { return nil }
        return ForeignContent(found: "base64 text of a \(name) picture", advice: "Decode it. \(sendBytes)")
    }

    /// The format of the picture that base64 text begins with (RFC 4648; the alphabet for URLs too).
    private static func encodedPicture(_ text: Substring) -> String? {
        let beginnings: [(String, PictureFormat)] = [
            ("/9j/", .jpeg), ("_9j_", .jpeg), ("iVBORw0KGgo", .png), ("UklGR", .webp), ("R0lGODdh", .gif),
            ("R0lGODlh", .gif), ("SUkqA", .tiff), ("TU0AK", .tiff), ("Qk0", .bmp),
        ]
        guard let format = beginnings.first(where: { text.hasPrefix($0.0) })?.1 else { return nil }
        // A word may begin as base64 of a short signature does; a picture has no words.
        let isLong = text.utf8.count >= 64 || format == .png || format == .gif
        return isLong && !text.prefix(64).contains(" ") ? format.displayName : nil
    }

    private static func markup(_ text: Text) -> ForeignContent? {
        guard text.lowered.hasPrefix("<") else { return nil }
        if ["<!doctype html", "<html", "<head", "<body", "<!--"].contains(where: { text.lowered.hasPrefix($0) }) {
            return ForeignContent(
                found: "an HTML page (a web page), as a failed download leaves",
                advice: "Download the picture itself, not the page that shows it."
            )
        }
        return ForeignContent(found: "an XML document", advice: sendBytes)
    }

    private static func structured(_ text: Text) -> ForeignContent? {
        if text.lowered.hasPrefix("{") || text.lowered.hasPrefix("[") {
            let holdsPicture = ["/9j/", "iVBORw0KGgo", "base64", "\"b64\"", "\"instances\""].contains {
                text.start.contains($0)
            }
            return ForeignContent(
                found: holdsPicture ? "JSON that holds a picture as base64 text" : "JSON",
                advice: "Requests here are pictures, not JSON. \(sendBytes)"
            )
        }
        if text.lowered.hasPrefix("--"), text.lowered.contains("content-disposition:") {
            return ForeignContent(
                found: "a form without the header that says so",
                advice: "Send the header Content-Type: multipart/form-data with the form's boundary; "
                    + "clients that make forms set it themselves if it is not set by hand."
            )
        }
        let name = text.start.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        let isForm =
            (1...40).contains(name.count) && text.start.dropFirst(name.count).hasPrefix("=")
            && !text.start.prefix(200).contains(" ")
        guard isForm else { return nil }
        return ForeignContent(
            found: "form fields (application/x-www-form-urlencoded)",
            advice: sendBytes
        )
    }

    private static func reference(_ text: Text) -> ForeignContent? {
        if text.lowered.hasPrefix("version https://git-lfs.github.com/spec/") {
            return ForeignContent(
                found: "a Git LFS pointer, which is in the place of the file",
                advice: "Run ‘git lfs pull’ in the repository that it comes from."
            )
        }
        if ["http://", "https://", "s3://", "gs://", "file://"].contains(where: { text.lowered.hasPrefix($0) }) {
            return ForeignContent(
                found: "the address of something",
                advice: "This server fetches nothing. Download the picture and send it."
            )
        }
        if text.start.first == "@", text.start.count < 4000 {
            return ForeignContent(
                found: "a file's name behind an @, not the file",
                advice: sendBytes
            )
        }
        let isHex = text.lowered.hasPrefix("ffd8ff") || text.lowered.hasPrefix("89504e470d0a1a0a")
        return isHex
            ? ForeignContent(found: "a picture as hexadecimal digits", advice: "Decode it. \(sendBytes)") : nil
    }
}
