// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, K, 6]`: left, top, right, bottom in input pixels, score, class number; the network has chosen its K best
/// itself, and no two of them are one object. YOLOv10 and YOLO26 export this.
struct EndToEndHead: SingleOutputHead {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { false }
    private let attributes: Int

    /// More rows than this are anchors, not a network's own choice (exports keep 100 to 1000).
    private static let mostRows = 1000

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        attributes = 6 + evidence.maskChannels
        guard shape[2] == attributes else {
            throw HeadMisfit(reason: "rows of \(shape[2]) values, not 6")
        }
        guard shape[1] <= Self.mostRows else {
            throw HeadMisfit(reason: "\(shape[1]) rows are too many for a network that chooses itself")
        }
        if evidence.strides(rows: shape[1], anchorsPerCell: 3) != nil, (evidence.labelCount ?? 1) == 1 {
            throw HeadMisfit(reason: "\(shape[1]) rows are 3 anchors on each cell: YOLOv5 with one class")
        }
        // The outputs do not say how many classes there are; without labels, numbers speak for themselves.
        classCount = evidence.labelCount ?? 0
        reason = "\(shape[1]) rows of corners, score and class"
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
        var candidates: [Candidate] = []
        for row in 0..<shape[0] {
            let start = row * attributes
            let score = values[start + 4].single
            let number = values[start + 5].single
            guard score > filter.confidence, number >= 0, number < 1_000_000, filter.wants(Int(number)) else {
                continue
            }
            let box = Box(
                x1: values[start].single,
                y1: values[start + 1].single,
                x2: values[start + 2].single,
                y2: values[start + 3].single
            )
            candidates.append(Candidate(box: box, score: score, classID: Int(number)))
        }
        return candidates
    }
}
