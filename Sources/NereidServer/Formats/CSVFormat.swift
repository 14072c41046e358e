// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidVision

/// Detections as comma-separated values (RFC 4180): one line each, after a line of headings. The classes of a whole picture have
/// lines without a box.
public enum CSVFormat {
    /// The line of headings, with its line break.
    public static let headings = "file,label,class_id,score,x1,y1,x2,y2\r\n"

    /// One line for each detection of a picture.
    public static func lines(file: String, _ detections: [Detection]) -> String {
        detections.map { detection in
            let values =
                [quoted(file), quoted(detection.label), String(detection.classID)]
                + [detection.score.rounded(toMultiplesOf: 100_000)].map { "\($0)" }
                + detection.box.rounded.map { "\($0)" }
            return values.joined(separator: ",") + "\r\n"
        }.joined()
    }

    /// One line for each class of a picture.
    public static func lines(file: String, classifications: [Classification]) -> String {
        classifications.map { classification in
            let values =
                [quoted(file), quoted(classification.label), String(classification.classID)]
                + ["\(classification.score.rounded(toMultiplesOf: 100_000))", "", "", "", ""]
            return values.joined(separator: ",") + "\r\n"
        }.joined()
    }

    /// A field in quotation marks if it needs them. A leading `=`, `+`, `-` or `@` would be a formula to a spreadsheet: an
    /// apostrophe before it keeps it text.
    static func quoted(_ field: String) -> String {
        // By scalars: as a character, a quotation mark with an accent on it is none.
        var scalars = field.unicodeScalars
        if let first = scalars.first, "=+-@\t\r".unicodeScalars.contains(first) {
            scalars.insert("'", at: scalars.startIndex)
        }
        guard scalars.contains(where: { "\",\n\r".unicodeScalars.contains($0) }) else { return String(scalars) }
        let doubled = scalars.flatMap { $0 == "\"" ? [$0, $0] : [$0] }
        return "\"\(String(String.UnicodeScalarView(doubled)))\""
    }
}
