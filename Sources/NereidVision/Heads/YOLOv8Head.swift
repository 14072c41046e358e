// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, 4+C, A]`: a plane each for centre x, centre y, width, height in input pixels or as fractions of the input, and
/// for every class's probability.
///
/// Mask coefficients, keypoints or an angle may follow in further planes.
///
/// There is no objectness: a cell's score is that of its best class, `non_max_suppression` in Ultralytics' `utils/nms.py`.
struct YOLOv8Head: SingleOutputHead {
    let classCount: Int
    let reason: String
    let extra: Extra?
    var needsSuppression: Bool { true }
    private let unit: BoxUnit
    /// Whether the columns are those of cells.
    private let isDense: Bool

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        extra = try evidence.extra(masksBy: .enlargeLogits)
        classCount = try evidence.classes(attributes: shape[1], after: 4, extra: extra)
        unit = evidence.observedRows(.planes).unit
        try unit.requireNoKeypoints(extra)
        let planes = "\(shape[1]) planes = 4 + \(classCount) classes\(extra?.description ?? "")\(unit.remark)"
        let strides = evidence.strides(rows: shape[2], anchorsPerCell: 1)
        isDense = strides != nil
        if let strides {
            reason = "\(planes) over the \(shape[2]) cells of strides \(strides)"
        } else if evidence.labelCount != nil {
            reason = "\(planes), as many as there are labels"
        } else if evidence.isAsked {
            reason = "\(planes) over \(shape[2]) columns"
        } else {
            throw HeadMisfit(
                reason: "\(shape[2]) columns are not the cells of \(evidence.input), and no labels confirm it"
            )
        }
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows(.planes)
        try observed.requireProbabilities(4..<4 + classCount)
        try observed.requireCentreAndSize(isDense: isDense)
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        let planes = 4 + classCount + (extra?.valueCount ?? 0)
        guard shape[0] == planes else { throw HeadMisfit(reason: "\(shape[0]) planes, not \(planes)") }
        let cells = shape[1]
        let threshold = Element.rank(of: filter.confidence)
        guard !Element.containsNaN(values.extracting(4 * cells..<(4 + classCount) * cells)) else { throw .scoreIsNaN }
        let scale = unit.scale(input)
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
                centreX: values[cell].single * scale.x,
                centreY: values[cells + cell].single * scale.y,
                width: values[2 * cells + cell].single * scale.x,
                height: values[3 * cells + cell].single * scale.y
            )
            let angle = extra == .angle ? values[(planes - 1) * cells + cell].single : 0
            candidates.append(Candidate(box: box, score: score, classID: classID, angle: angle, place: cell))
        }
        return candidates
    }

    func indexOfExtra(_ value: Int, place: Int, shape: [Int]) -> Int { (4 + classCount + value) * shape[1] + place }
}
