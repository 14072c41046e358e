// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, K, 6]`: left, top, right, bottom in input pixels or as fractions of the input, score, class number; the network
/// has chosen its K best itself, and no two of them are one object. YOLOv10 and YOLO26 export this. Mask coefficients, keypoints or an angle may
/// follow in each row; with an angle, the first four are centre and size.
struct EndToEndHead: SingleOutputHead {
    let classCount: Int
    let reason: String
    let extra: Extra?
    var needsSuppression: Bool { false }
    private let rows: CornerRows

    /// More rows than this are anchors, not a network's own choice (exports keep 100 to 1000).
    static let mostRows = 1000

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        extra = try evidence.extra(masksBy: .enlargeLogits)
        let attributes = 6 + (extra?.valueCount ?? 0)
        guard shape[2] == attributes else {
            throw HeadMisfit(reason: "rows of \(shape[2]) values, not \(attributes)")
        }
        if !evidence.isAsked {
            guard shape[1] <= Self.mostRows else {
                throw HeadMisfit(reason: "\(shape[1]) rows are too many for a network that chooses itself")
            }
            guard !evidence.isDense(rows: shape[1]) else {
                throw HeadMisfit(
                    reason: "\(shape[1]) rows are those of the cells of \(evidence.input): nothing is chosen yet"
                )
            }
            if evidence.strides(rows: shape[1], anchorsPerCell: 3) != nil, (evidence.labelCount ?? 1) == 1 {
                throw HeadMisfit(reason: "\(shape[1]) rows are 3 anchors on each cell: YOLOv5 with one class")
            }
        }
        // Keypoints would have to count in the same unit; no export is known that gives fractions of them.
        let unit = extra == nil ? evidence.observedRows().unit : .pixels
        rows = CornerRows(attributes: attributes, unit: unit, areTurned: extra == .angle)
        // The outputs do not say how many classes there are; without labels, numbers speak for themselves.
        classCount = evidence.labelCount ?? 0
        reason = "\(shape[1]) rows of corners, score and class\(extra?.description ?? "")\(unit.remark)"
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows()
        try observed.requireProbabilities(4...4)
        try observed.requireClassNumbers(5)
        if extra == .angle {
            try observed.requireCentreAndSize(isDense: false)
        } else {
            try observed.requireCorners()
        }
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        try rows.candidates(values, shape: shape, input: input, filter: filter)
    }

    func indexOfExtra(_ value: Int, place: Int, shape: [Int]) -> Int { place * rows.attributes + 6 + value }
}
