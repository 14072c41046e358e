// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, A, 5+C]`: centre x, centre y, width, height in input pixels or as fractions of the input, objectness, class
/// probabilities. YOLOv3 to YOLOv7 have three rows for each cell; YOLOv6 has one, whose objectness is 1.
///
/// Mask coefficients may follow; `non_max_suppression` in YOLOv5's `utils/general.py` multiplies them by the objectness too.
struct YOLOv5Head: SingleOutputHead {
    let classCount: Int
    let reason: String
    let extra: Extra?
    var needsSuppression: Bool { true }
    private let rows: ObjectnessRows
    /// Whether the rows are those of cells, one or three for each.
    private let isDense: Bool

    /// More rows of six values than this are not chosen by a network itself.
    private static let mostChosenRows = 1000

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        extra = try evidence.extra(masksBy: .sigmoidThenEnlarge)
        classCount = try evidence.classes(attributes: shape[2], after: 5, extra: extra)
        let observed = evidence.observedRows()
        rows = ObjectnessRows(attributes: shape[2], classCount: classCount, unit: observed.unit)
        let one = evidence.strides(rows: shape[1], anchorsPerCell: 1)
        let three = evidence.strides(rows: shape[1], anchorsPerCell: 3)
        isDense = (one ?? three) != nil
        let row =
            "rows of \(shape[2]) = 4 + objectness + \(classCount) classes\(extra?.description ?? "")\(rows.unit.remark)"
        if let three {
            reason = "\(row), \(shape[1]) of them = 3 anchors on the cells of strides \(three)"
        } else if let one, observed.isOne(4) {
            reason = "\(row), \(shape[1]) of them = the cells of strides \(one), the objectness always 1: YOLOv6"
        } else if evidence.isAsked {
            reason = "\(row), \(shape[1]) of them"
        } else if let one {
            throw HeadMisfit(
                reason: "one row for each cell of strides \(one), but the objectness is not 1 as in YOLOv6"
            )
        } else if evidence.labelCount != nil {
            guard classCount > 1 || shape[1] > Self.mostChosenRows else {
                throw HeadMisfit(
                    reason: "\(shape[1]) rows of \(shape[2]) values are those of a network that chooses itself"
                )
            }
            reason = "\(row), as many as there are labels"
        } else {
            throw HeadMisfit(
                reason: "\(shape[1]) rows are not 3 anchors on each cell of \(evidence.input), and no labels confirm it"
            )
        }
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows()
        try observed.requireProbabilities(4..<5 + classCount)
        try observed.requireCentreAndSize(isDense: isDense)
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        try rows.candidates(values, shape: shape, input: input, filter: filter)
    }

    func indexOfExtra(_ value: Int, place: Int, shape: [Int]) -> Int {
        place * rows.attributes + 5 + classCount + value
    }

    func indexOfWeight(place: Int, shape: [Int]) -> Int? { place * rows.attributes + 4 }
}
