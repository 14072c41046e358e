// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Rows of centre, size and a score for each class, decoded. A row's score is that of its best class.
struct ClassRows: Sendable {
    /// Values of a row; more may follow the classes.
    let attributes: Int
    let classCount: Int
    let unit: BoxUnit

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
            let best = try values.bestClass(start + 4, count: classCount)
            guard values[start + 4 + best].rank > threshold, filter.wants(best) else { continue }
            let score = values[start + 4 + best].single
            guard score > filter.confidence else { continue }
            let box = Box(
                centreX: values[start].single * scale.x,
                centreY: values[start + 1].single * scale.y,
                width: values[start + 2].single * scale.x,
                height: values[start + 3].single * scale.y
            )
            candidates.append(Candidate(box: box, score: score, classID: best, place: row))
        }
        return candidates
    }
}
