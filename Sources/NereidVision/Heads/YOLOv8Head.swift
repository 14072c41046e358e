// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, 4+C, A]`: a plane each for centre x, centre y, width, height in input pixels and for every class's probability.
///
/// There is no objectness: a cell's score is that of its best class, `non_max_suppression` in Ultralytics' `utils/nms.py`.
struct YOLOv8Head: SingleOutputHead {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { true }

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        classCount = try evidence.classes(attributes: shape[1], after: 4)
        let planes = "\(shape[1]) planes = 4 + \(classCount) classes"
        let masks = evidence.maskChannels > 0 ? " + \(evidence.maskChannels) mask coefficients" : ""
        if let strides = evidence.strides(rows: shape[2], anchorsPerCell: 1) {
            reason = "\(planes)\(masks) over the \(shape[2]) cells of strides \(strides)"
        } else if evidence.labelCount != nil {
            reason = "\(planes)\(masks), as many as there are labels"
        } else {
            throw HeadMisfit(
                reason: "\(shape[2]) columns are not the cells of \(evidence.input), and no labels confirm it"
            )
        }
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        guard shape[0] >= 4 + classCount else {
            throw HeadMisfit(reason: "\(shape[0]) planes, not \(4 + classCount) or more")
        }
        let cells = shape[1]
        let threshold = Element.rank(of: filter.confidence)
        // Plane by plane, as the values lie in memory: almost none of them passes, so this is one sweep of comparisons.
        var bestClass = [Int32](repeating: -1, count: cells)
        for classID in 0..<classCount {
            let plane = values.extracting((4 + classID) * cells..<(5 + classID) * cells)
            for cell in 0..<cells where plane[cell].rank > threshold {
                let best = Int(bestClass[cell])
                if best < 0 || plane[cell].rank > values[(4 + best) * cells + cell].rank {
                    bestClass[cell] = Int32(classID)
                }
            }
        }
        var candidates: [Candidate] = []
        for cell in 0..<cells where bestClass[cell] >= 0 {
            let classID = Int(bestClass[cell])
            let score = values[(4 + classID) * cells + cell].single
            guard score > filter.confidence, filter.wants(classID) else { continue }
            let box = Box(
                centreX: values[cell].single,
                centreY: values[cells + cell].single,
                width: values[2 * cells + cell].single,
                height: values[3 * cells + cell].single
            )
            candidates.append(Candidate(box: box, score: score, classID: classID))
        }
        return candidates
    }
}
