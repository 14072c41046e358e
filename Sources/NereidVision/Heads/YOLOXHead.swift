// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging

/// Reads `[N, A, 5+C]` as YOLOX exports it by default: for each cell of the grids at strides 8, 16 and 32, the centre's
/// offset from the cell in strides, the logarithm of the size in strides, objectness and class probabilities.
///
/// Decoding: `(offset + cell)·stride` and `exp(size)·stride`, `demo_postprocess` in YOLOX's `utils/demo_utils.py`.
struct YOLOXHead: SingleOutputHead {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { true }
    private let attributes: Int
    private let strides: [Int]

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shape = try evidence.firstOutput()
        classCount = try evidence.classes(attributes: shape[2], after: 5, extra: nil)
        attributes = shape[2]
        guard let strides = evidence.strides(rows: shape[1], anchorsPerCell: 1) else {
            throw HeadMisfit(reason: "\(shape[1]) rows are not one for each cell of \(evidence.input)")
        }
        self.strides = strides
        reason = "\(shape[1]) rows = the cells of strides \(strides), \(classCount) classes"
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows()
        try observed.requireProbabilities(4..<attributes)
        guard !observed.areDecoded(of: evidence, strides: strides) else {
            throw HeadMisfit(reason: "the boxes span the input: they are decoded already")
        }
        // The exponential of 10 is 22026 strides.
        guard
            observed.share({ row in
                row.values[..<4].allSatisfy { abs($0) <= 32 } && max(row.values[2], row.values[3]) < 10
            })
                >= 0.95
        else { throw HeadMisfit(reason: "the boxes are no offsets in strides and no logarithms of sizes") }
    }

    func read<Element: ScoreElement>(
        _ values: Span<Element>,
        shape: [Int],
        input: PixelSize,
        filter: CandidateFilter
    ) throws(HeadMisfit) -> [Candidate] {
        let cells = strides.reduce(0) { $0 + (input.width / $1) * (input.height / $1) }
        guard shape == [cells, attributes] else {
            throw HeadMisfit(reason: "\(shape) values, not \([cells, attributes]) as an input of \(input) has")
        }
        let threshold = Element.rank(of: filter.confidence)
        var candidates: [Candidate] = []
        var firstRow = 0
        for stride in strides {
            let columns = input.width / stride
            let count = columns * (input.height / stride)
            for cell in 0..<count {
                let start = (firstRow + cell) * attributes
                guard values[start + 4].rank > threshold else {
                    if values[start + 4].isNaN { throw .scoreIsNaN }
                    continue
                }
                let best = try values.bestClass(start + 5, count: classCount)
                let score = values[start + 4].single * values[start + 5 + best].single
                guard !score.isNaN else { throw .scoreIsNaN }
                guard score > filter.confidence, filter.wants(best) else { continue }
                let box = Box(
                    centreX: (values[start].single + Float(cell % columns)) * Float(stride),
                    centreY: (values[start + 1].single + Float(cell / columns)) * Float(stride),
                    width: exp(values[start + 2].single) * Float(stride),
                    height: exp(values[start + 3].single) * Float(stride)
                )
                candidates.append(Candidate(box: box, score: score, classID: best))
            }
            firstRow += count
        }
        return candidates
    }
}
