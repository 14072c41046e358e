// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, A, 6]` as DeepStream-Yolo exports it: a row for each anchor or cell with left, top, right, bottom in input
/// pixels, score and class number; nothing is suppressed yet.
struct DeepStreamHead: SingleOutputHead {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { true }
    private let rows: CornerRows

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        guard shape[2] == 6 else { throw HeadMisfit(reason: "rows of \(shape[2]) values, not 6") }
        guard evidence.isAsked || shape[1] > EndToEndHead.mostRows || evidence.isDense(rows: shape[1]) else {
            throw HeadMisfit(reason: "\(shape[1]) rows are not those of the cells of \(evidence.input)")
        }
        rows = CornerRows(attributes: 6, unit: evidence.observedRows().unit)
        classCount = evidence.labelCount ?? 0
        reason = "\(shape[1]) rows of corners, score and class, not suppressed\(rows.unit.remark)"
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows()
        try observed.requireProbabilities(4...4)
        try observed.requireClassNumbers(5)
        try observed.requireCorners()
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        try rows.candidates(values, shape: shape, input: input, filter: filter)
    }
}
