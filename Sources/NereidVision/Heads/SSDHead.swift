// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// Reads two outputs, `[N, A, 1+C]` class probabilities with the background first and `[N, A, 4]` corners as fractions of
/// the input: SSD and its kin when exported with the anchors decoded, such as the Ultra-Light face detectors.
struct SSDHead: Head {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { true }
    private let scoresIndex: Int
    private let boxesIndex: Int

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        guard evidence.outputs.count == 2, evidence.outputs.allSatisfy({ $0.shape.count == 3 }),
            evidence.outputs.allSatisfy(\.isReal), evidence.outputs[0].shape[1] == evidence.outputs[1].shape[1]
        else { throw HeadMisfit(reason: "not two outputs of scores and boxes with as many rows") }
        // With three classes both outputs have four columns: the names then tell them apart.
        let boxes = evidence.outputs.indices.filter { evidence.outputs[$0].shape[2] == 4 }
        guard let boxesIndex = boxes.first(where: { evidence.outputs[$0].name.contains("box") }) ?? boxes.last else {
            throw HeadMisfit(reason: "neither output has rows of four corners")
        }
        self.boxesIndex = boxesIndex
        scoresIndex = 1 - boxesIndex
        let columns = evidence.outputs[scoresIndex].shape[2]
        guard columns >= 2 else { throw HeadMisfit(reason: "scores without a background class") }
        classCount = columns - 1
        if let labelCount = evidence.labelCount, labelCount != classCount {
            throw HeadMisfit(reason: "\(columns) scores mean \(classCount) classes, but there are \(labelCount) labels")
        }
        reason = "\(evidence.outputs[0].shape[1]) rows of \(classCount) classes and background, and as many boxes"
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let scores = evidence.observedRows(output: scoresIndex)
        try scores.requireProbabilities(0...classCount)
        guard scores.share({ abs($0.values.reduce(0, +) - 1) < 0.02 }) >= 0.99 else {
            throw HeadMisfit(reason: "the scores of a row do not add up to 1, as those of a background and classes do")
        }
        // Most places of any picture show nothing.
        guard scores.share({ $0.values[0] > 0.5 }) >= 0.5 else {
            throw HeadMisfit(reason: "the first score of most rows is low: it is not the background's")
        }
        let boxes = evidence.observedRows(output: boxesIndex)
        guard boxes.share({ $0.values.allSatisfy { (-2...3).contains($0) } }) >= 0.95 else {
            throw HeadMisfit(reason: "the boxes are no fractions of the input")
        }
        try boxes.requireCorners()
    }

    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        let scores = try outputs[scoresIndex].floats(picture: index)
        let corners = try outputs[boxesIndex].floats(picture: index)
        let columns = classCount + 1
        guard scores.count / columns == corners.count / 4 else {
            throw HeadMisfit(reason: "\(scores.count / columns) rows of scores for \(corners.count / 4) boxes")
        }
        let (width, height) = (Float(input.width), Float(input.height))
        return try (0..<scores.count / columns).compactMap { row in
            let classes = scores[row * columns + 1..<(row + 1) * columns]
            if classes.contains(where: \.isNaN) { throw HeadMisfit.scoreIsNaN }
            guard let best = classes.indices.max(by: { classes[$0] < classes[$1] }),
                classes[best] > filter.confidence, filter.wants(best - classes.startIndex)
            else { return nil }
            let box = Box(
                x1: corners[row * 4] * width,
                y1: corners[row * 4 + 1] * height,
                x2: corners[row * 4 + 2] * width,
                y2: corners[row * 4 + 3] * height
            )
            return Candidate(box: box, score: classes[best], classID: best - classes.startIndex)
        }
    }
}
