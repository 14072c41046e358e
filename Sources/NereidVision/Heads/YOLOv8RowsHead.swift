// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Reads `[N, A, 4+C]`: what ``YOLOv8Head`` reads with rows and columns exchanged, a row for each cell. Mask coefficients,
/// keypoints or an angle may follow in each row.
struct YOLOv8RowsHead: SingleOutputHead {
    let classCount: Int
    let reason: String
    let extra: Extra?
    var needsSuppression: Bool { true }
    private let rows: ClassRows
    /// The strides whose cells the rows belong to; `nil` when the settings name this head for other rows.
    private let strides: [Int]?

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        extra = try evidence.extra(masksBy: .enlargeLogits)
        classCount = try evidence.classes(attributes: shape[2], after: 4, extra: extra)
        strides = evidence.strides(rows: shape[1], anchorsPerCell: 1)
        guard strides != nil || evidence.isAsked else {
            throw HeadMisfit(reason: "\(shape[1]) rows are not one for each cell of \(evidence.input)")
        }
        rows = ClassRows(attributes: shape[2], classCount: classCount, unit: evidence.observedRows().unit)
        try rows.unit.requireNoKeypoints(extra)
        reason =
            "\(shape[1]) rows of \(shape[2]) = 4 + \(classCount) classes\(extra?.description ?? "")"
            + (strides.map { ", the cells of strides \($0)" } ?? "") + rows.unit.remark
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows()
        try observed.requireProbabilities(4..<4 + classCount)
        try observed.requireCentreAndSize(isDense: true)
        if let strides, !observed.isEmpty, !observed.areDecoded(of: evidence, strides: strides) {
            throw HeadMisfit(reason: "the boxes' centres are not near their cells: they are not decoded")
        }
        guard evidence.labelCount == nil, classCount > 1, extra == nil else { return }
        try observed.requireClassesOnly()
        // Networks that were trained on 0…1 may answer the bright run with anything; YOLOX, which was trained on 0…255, calls
        // its output so.
        if evidence.outputs[0].name == "output" { try evidence.rowsOfBrightRun.requireIndependentClasses() }
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        // Ultralytics' angles and what else follows need no unit; boxes of exports that have them are in pixels.
        var candidates = try rows.candidates(values, shape: shape, input: input, filter: filter)
        if extra == .angle {
            for index in candidates.indices {
                candidates[index].angle = values[(candidates[index].place + 1) * rows.attributes - 1].single
            }
        }
        return candidates
    }

    func indexOfExtra(_ value: Int, place: Int, shape: [Int]) -> Int {
        place * rows.attributes + 4 + classCount + value
    }
}
