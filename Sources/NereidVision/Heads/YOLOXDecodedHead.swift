// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, A, 5+C]` as YOLOX exports it with `--decode_in_inference`: a row for each cell of the grids, with centre and
/// size in input pixels, objectness and class probabilities.
struct YOLOXDecodedHead: SingleOutputHead {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { true }
    private let rows: ObjectnessRows
    /// The strides whose cells the rows belong to; `nil` when the settings name this head for other rows.
    private let strides: [Int]?

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        classCount = try evidence.classes(attributes: shape[2], after: 5, extra: nil)
        strides = evidence.strides(rows: shape[1], anchorsPerCell: 1)
        guard strides != nil || evidence.isAsked else {
            throw HeadMisfit(reason: "\(shape[1]) rows are not one for each cell of \(evidence.input)")
        }
        if !evidence.isAsked, evidence.labelCount == nil, evidence.metadata["stride"] != nil {
            throw HeadMisfit(reason: "the metadata has a ‘stride’, which YOLOX does not write")
        }
        rows = ObjectnessRows(attributes: shape[2], classCount: classCount, unit: evidence.observedRows().unit)
        reason =
            "\(shape[1]) decoded rows of \(shape[2]) = 4 + objectness + \(classCount) classes"
            + (strides.map { ", the cells of strides \($0)" } ?? "") + rows.unit.remark
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows()
        try observed.requireProbabilities(4..<rows.attributes)
        try observed.requireCentreAndSize(isDense: true)
        if let strides, !observed.isEmpty, !observed.areDecoded(of: evidence, strides: strides) {
            throw HeadMisfit(reason: "the boxes' centres are not near their cells: they are not decoded")
        }
        guard !observed.isOne(4) else { throw HeadMisfit(reason: "the objectness is always 1, as in YOLOv6") }
        if evidence.labelCount == nil { try observed.requireObjectness() }
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
