// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, A, 5+C]`: centre x, centre y, width, height in input pixels, objectness, class probabilities.
///
/// A row's score is its objectness times its best class, and both the objectness and the product must pass the threshold:
/// `non_max_suppression` in YOLOv5's `utils/general.py`. Mask coefficients may follow; that function multiplies them by the
/// objectness too.
struct YOLOv5Head: SingleOutputHead {
    let classCount: Int
    let reason: String
    let extra: Extra?
    var needsSuppression: Bool { true }
    private let attributes: Int

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        extra = try evidence.extra(masksBy: .sigmoidThenEnlarge)
        classCount = try evidence.classes(attributes: shape[2], after: 5, extra: extra)
        attributes = shape[2]
        let row = "rows of \(shape[2]) = 4 + objectness + \(classCount) classes\(extra?.description ?? "")"
        if let strides = evidence.strides(rows: shape[1], anchorsPerCell: 3) {
            reason = "\(row), \(shape[1]) of them = 3 anchors on the cells of strides \(strides)"
        } else if evidence.labelCount != nil {
            reason = "\(row), as many as there are labels"
        } else {
            throw HeadMisfit(
                reason: "\(shape[1]) rows are not 3 anchors on each cell of \(evidence.input), and no labels confirm it"
            )
        }
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        guard shape[1] == attributes else {
            throw HeadMisfit(reason: "rows of \(shape[1]) values, not \(attributes)")
        }
        let threshold = Element.rank(of: filter.confidence)
        var candidates: [Candidate] = []
        for row in 0..<shape[0] {
            let start = row * attributes
            guard values[start + 4].rank > threshold else { continue }
            let objectness = values[start + 4].single
            var best = 0
            for classID in 1..<max(classCount, 1)
            where values[start + 5 + classID].rank > values[start + 5 + best].rank {
                best = classID
            }
            let score = objectness * values[start + 5 + best].single
            guard objectness > filter.confidence, score > filter.confidence, filter.wants(best) else { continue }
            let box = Box(
                centreX: values[start].single,
                centreY: values[start + 1].single,
                width: values[start + 2].single,
                height: values[start + 3].single
            )
            candidates.append(Candidate(box: box, score: score, classID: best, place: row))
        }
        return candidates
    }

    func indexOfExtra(_ value: Int, place: Int, shape: [Int]) -> Int { place * attributes + 5 + classCount + value }

    func indexOfWeight(place: Int, shape: [Int]) -> Int? { place * attributes + 4 }
}
