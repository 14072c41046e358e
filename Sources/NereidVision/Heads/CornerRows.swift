// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Rows of left, top, right, bottom, score, class number; perhaps with more values after them.
struct CornerRows: Sendable {
    /// Values of a row.
    let attributes: Int
    let unit: BoxUnit
    /// Whether each row ends with an angle; then the first four values are centre and size.
    var areTurned = false

    func candidates<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        guard shape[1] == attributes else {
            throw HeadMisfit(reason: "rows of \(shape[1]) values, not \(attributes)")
        }
        let scale = unit.scale(input)
        let threshold = Element.rank(of: filter.confidence)
        var candidates: [Candidate] = []
        for row in 0..<shape[0] {
            let start = row * attributes
            if values[start + 4].isNaN { throw .scoreIsNaN }
            guard values[start + 4].rank > threshold else { continue }
            let score = values[start + 4].single
            guard score > filter.confidence,
                let classID = try classNumber(values[start + 5].single), filter.wants(classID)
            else { continue }
            let sides = (0..<4).map { values[start + $0].single * scale[$0 % 2] }
            var candidate = Candidate(
                box: Box(x1: sides[0], y1: sides[1], x2: sides[2], y2: sides[3]),
                score: score,
                classID: classID,
                place: row
            )
            if areTurned {
                candidate.box = Box(centreX: sides[0], centreY: sides[1], width: sides[2], height: sides[3])
                candidate.angle = values[start + 6].single
            }
            candidates.append(candidate)
        }
        return candidates
    }
}

/// The class that a floating-point number names; `nil` for −1, with which exporters fill up.
///
/// - Throws: ``HeadMisfit`` when it names none.
func classNumber(_ value: Float) throws(HeadMisfit) -> Int? {
    guard value > -1.01, value < 1_000_000, abs(value - value.rounded()) < 0.01 else {
        throw .value("a class number of \(value)")
    }
    return value < -0.5 ? nil : Int(value.rounded())
}
