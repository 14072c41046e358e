// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Rows of centre, size, objectness and classes, decoded.
///
/// A row's score is its objectness times its best class, and both the objectness and the product must pass the threshold:
/// `non_max_suppression` in YOLOv5's `utils/general.py`.
struct ObjectnessRows: Sendable {
    /// Values of a row.
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
        let threshold = Element.rank(of: filter.confidence)
        let scale = unit.scale(input)
        var candidates: [Candidate] = []
        for row in 0..<shape[0] {
            let start = row * attributes
            guard values[start + 4].rank > threshold else {
                if values[start + 4].isNaN { throw .scoreIsNaN }
                continue
            }
            let objectness = values[start + 4].single
            let best = try values.bestClass(start + 5, count: classCount)
            let score = objectness * values[start + 5 + best].single
            guard !score.isNaN else { throw .scoreIsNaN }
            guard objectness > filter.confidence, score > filter.confidence, filter.wants(best) else { continue }
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

extension Span where Element: ScoreElement {
    /// The first of the classes with the greatest score, counted from 0.
    ///
    /// - Parameters:
    ///   - first: where the score of class 0 is.
    ///   - count: how many classes there are.
    /// - Throws: ``HeadMisfit/scoreIsNaN``.
    func bestClass(_ first: Int, count: Int) throws(HeadMisfit) -> Int {
        var best = 0
        for classID in 0..<count {
            if self[first + classID].isNaN { throw .scoreIsNaN }
            if self[first + classID].rank > self[first + best].rank { best = classID }
        }
        return best
    }
}
