// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference

/// Reads YOLO-FastestV2's six raw maps: for strides 16 and 32, boxes `[N, 4·3, h, w]`, objectness `[N, 3, h, w]` and
/// classes `[N, C, h, w]`, all before their sigmoid and softmax.
///
/// A box is `(2·sigmoid(offset) − 0.5 + cell)·stride` and `(2·sigmoid(size))²·anchor`; a score is the sigmoid of the
/// objectness times the softmax of the best class: `handel_preds` in Yolo-FastestV2's `utils/utils.py`.
struct FastestV2Head: Head {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { true }

    /// Width and height of the anchors of the published COCO model, in pixels of its input (its `data/coco.data`).
    private static let anchors: [[(width: Float, height: Float)]] = [
        [(12.64, 19.39), (37.88, 51.48), (55.71, 138.31)],
        [(126.91, 78.23), (131.57, 214.55), (279.92, 258.87)],
    ]
    private static let strides = [16, 32]

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        let shapes = evidence.outputs.map(\.shape)
        guard shapes.count == 6, shapes.allSatisfy({ $0.count == 4 }) else {
            throw HeadMisfit(reason: "not six maps")
        }
        for (level, stride) in Self.strides.enumerated() {
            let grid = [evidence.input.height / stride, evidence.input.width / stride]
            let maps = shapes[level * 3..<level * 3 + 3]
            guard maps.allSatisfy({ Array($0[2...]) == grid }), maps[level * 3][1] == 12, maps[level * 3 + 1][1] == 3
            else {
                throw HeadMisfit(
                    reason: "maps \(Array(maps)) are not boxes, objectness and classes at stride \(stride)"
                )
            }
        }
        classCount = shapes[2][1]
        guard shapes[5][1] == classCount else { throw HeadMisfit(reason: "the two levels differ in classes") }
        if let labelCount = evidence.labelCount, labelCount != classCount {
            throw HeadMisfit(reason: "\(classCount) maps of classes, but there are \(labelCount) labels")
        }
        reason = "six raw maps at strides 16 and 32 with 3 anchors and \(classCount) classes"
    }

    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        var candidates: [Candidate] = []
        for (level, stride) in Self.strides.enumerated() {
            let boxes = try outputs[level * 3].floats(picture: index)
            let objectness = try outputs[level * 3 + 1].floats(picture: index)
            let classes = try outputs[level * 3 + 2].floats(picture: index)
            let columns = input.width / stride
            let cells = columns * (input.height / stride)
            guard objectness.count == 3 * cells else {
                throw HeadMisfit(reason: "\(objectness.count) objectness values for \(cells) cells")
            }
            guard !Float.containsNaN(objectness.span), !Float.containsNaN(classes.span) else {
                throw HeadMisfit.scoreIsNaN
            }
            for cell in 0..<cells {
                // The classes belong to the cell, not to the anchor: computed once, and only if an anchor needs them.
                var best: (classID: Int, probability: Float)?
                for (anchor, size) in Self.anchors[level].enumerated() {
                    let present = sigmoid(objectness[anchor * cells + cell])
                    guard present > filter.confidence else { continue }
                    let (classID, probability) = best ?? softmaxBest(classes, cell: cell, cells: cells)
                    best = (classID, probability)
                    let score = present * probability
                    guard score > filter.confidence, filter.wants(classID) else { continue }
                    let raw = (0..<4).map { 2 * sigmoid(boxes[(anchor * 4 + $0) * cells + cell]) }
                    let box = Box(
                        centreX: (raw[0] - 0.5 + Float(cell % columns)) * Float(stride),
                        centreY: (raw[1] - 0.5 + Float(cell / columns)) * Float(stride),
                        width: raw[2] * raw[2] * size.width,
                        height: raw[3] * raw[3] * size.height
                    )
                    candidates.append(Candidate(box: box, score: score, classID: classID))
                }
            }
        }
        return candidates
    }

    private func softmaxBest(_ logits: [Float], cell: Int, cells: Int) -> (classID: Int, probability: Float) {
        let column = (0..<classCount).map { logits[$0 * cells + cell] }
        let best = column.indices.max { column[$0] < column[$1] } ?? 0
        let sum = column.reduce(0) { $0 + exp($1 - column[best]) }
        return (best, 1 / sum)
    }
}
