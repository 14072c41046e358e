// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidVision

/// Detections as comma-separated values (RFC 4180): one line each, after a line of headings.
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

    /// A field in quotation marks if it needs them. A leading `=`, `+`, `-` or `@` would be a formula to a spreadsheet: an
    /// apostrophe before it keeps it text.
    static func quoted(_ field: String) -> String {
        var field = field
        if let first = field.first, "=+-@\t\r".contains(first) { field = "'" + field }
        let needsQuotes = field.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
        return needsQuotes ? "\"\(field.replacing("\"", with: "\"\""))\"" : field
    }
}
