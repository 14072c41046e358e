// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidJobs
import NereidVision

/// The table of results as comma-separated values (RFC 4180), the same from the server, the command line and the page
/// (`Web/export.js`).
///
/// It has one line for each detection of a picture, or for each class of a picture that was classified. A picture in which
/// nothing was found has one line whose fields of a detection are empty, because an absence is a result too. So has a picture
/// that could not be answered, with the error's code in the last column.
public enum CSVFormat {
    /// The columns: the picture's file and one detection, then facts about the whole picture.
    public static let columns =
        ["file", "label", "class_id", "score", "x1", "y1", "x2", "y2", "mask_area"]
        + ["image_width", "image_height", "taken", "model", "error"]

    /// The line of headings, with its line break.
    public static let headings = columns.joined(separator: ",") + "\r\n"

    /// The media type of the table.
    public static let mediaType = "text/csv; charset=utf-8"

    /// All lines of one picture: at least one.
    ///
    /// - Parameters:
    ///   - file: the picture's name, or nothing if it has none.
    ///   - model: the name of the model that was asked.
    public static func lines(file: String, model: String, _ result: Result<JobAnswer, any Error>) -> String {
        switch result {
        case .success(let answer):
            let rows = answer.task == .classify ? answer.classifications.map(fields) : answer.detections.map(fields)
            let (size, taken) = (answer.size, answer.taken?.description ?? "")
            let about = [String(size.width), String(size.height), taken, quoted(model), ""]
            return (rows.isEmpty ? [nothing] : rows).map { line([quoted(file)] + $0 + about) }.joined()
        case .failure(let error):
            return line([quoted(file)] + nothing + ["", "", "", quoted(model), Problem(error).code.rawValue])
        }
    }

    /// The fields of a detection where there is none.
    private static let nothing = [String](repeating: "", count: 8)

    private static func fields(_ detection: Detection) -> [String] {
        [quoted(detection.label), String(detection.classID), decimal(detection.score.rounded(toMultiplesOf: 100_000))]
            + detection.box.rounded.map(decimal) + [detection.mask.map { String($0.area) } ?? ""]
    }

    private static func fields(_ classification: Classification) -> [String] {
        let score = decimal(classification.score.rounded(toMultiplesOf: 100_000))
        return [quoted(classification.label), String(classification.classID), score, "", "", "", "", ""]
    }

    private static func line(_ fields: [String]) -> String {
        fields.joined(separator: ",") + "\r\n"
    }

    /// A number as JavaScript writes it, so that the page's lines are the same: `208`, `0.5`, `0.00003`.
    static func decimal(_ number: Float) -> String {
        let text = "\(number)"
        if text.hasSuffix(".0") { return String(text.dropLast(2)) }
        guard text.contains("e-") else { return text }
        // Below a ten-thousandth Swift writes an exponent. There are no more than five decimal places.
        let digits = String(Int((number.magnitude * 100_000).rounded()))
        return (number < 0 ? "-" : "") + "0." + String(repeating: "0", count: 5 - digits.count) + digits
    }

    /// A field in quotation marks if it needs them, and safe in a spreadsheet.
    static func quoted(_ field: String) -> String {
        // By scalars: as a character, a quotation mark with an accent on it is none.
        let scalars = defused(field).unicodeScalars
        guard scalars.contains(where: { "\",\n\r".unicodeScalars.contains($0) }) else { return String(scalars) }
        let doubled = scalars.flatMap { $0 == "\"" ? [$0, $0] : [$0] }
        return "\"\(String(String.UnicodeScalarView(doubled)))\""
    }

    /// A text as it is in a field. A leading `=`, `+`, `-` or `@` would be a formula to a spreadsheet: an apostrophe before it
    /// keeps it text.
    public static func defused(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, "=+-@\t\r".unicodeScalars.contains(first) else { return text }
        var scalars = text.unicodeScalars
        scalars.insert("'", at: scalars.startIndex)
        return String(scalars)
    }
}
