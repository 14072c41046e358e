// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, K, 6]`: left, top, right, bottom in input pixels, score, class number; the network has chosen its K best
/// itself, and no two of them are one object. YOLOv10 and YOLO26 export this. Mask coefficients, keypoints or an angle may
/// follow in each row; with an angle, the first four are centre and size.
struct EndToEndHead: SingleOutputHead {
    let classCount: Int
    let reason: String
    let extra: Extra?
    var needsSuppression: Bool { false }
    private let attributes: Int

    /// More rows than this are anchors, not a network's own choice (exports keep 100 to 1000).
    private static let mostRows = 1000

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        extra = try evidence.extra(masksBy: .enlargeLogits)
        attributes = 6 + (extra?.valueCount ?? 0)
        guard shape[2] == attributes else {
            throw HeadMisfit(reason: "rows of \(shape[2]) values, not \(attributes)")
        }
        guard shape[1] <= Self.mostRows else {
            throw HeadMisfit(reason: "\(shape[1]) rows are too many for a network that chooses itself")
        }
        if evidence.strides(rows: shape[1], anchorsPerCell: 3) != nil, (evidence.labelCount ?? 1) == 1 {
            throw HeadMisfit(reason: "\(shape[1]) rows are 3 anchors on each cell: YOLOv5 with one class")
        }
        // The outputs do not say how many classes there are; without labels, numbers speak for themselves.
        classCount = evidence.labelCount ?? 0
        reason = "\(shape[1]) rows of corners, score and class\(extra?.description ?? "")"
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
            let sides = (0..<4).map { values[start + $0].single }
            var candidate = Candidate(
                box: Box(x1: sides[0], y1: sides[1], x2: sides[2], y2: sides[3]),
                score: score,
                classID: Int(number),
                place: row
            )
            if extra == .angle {
                candidate.box = Box(centreX: sides[0], centreY: sides[1], width: sides[2], height: sides[3])
                candidate.angle = values[start + 6].single
            }
            candidates.append(candidate)
        }
        return candidates
    }

    func indexOfExtra(_ value: Int, place: Int, shape: [Int]) -> Int { place * attributes + 6 + value }
}
