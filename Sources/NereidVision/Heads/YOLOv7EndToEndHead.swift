// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// Reads `[n, 7]` as YOLOv7 exports it with `--end2end --max-wh`: a row for each object that its own suppression left, with
/// the picture's place in the batch, left, top, right, bottom in input pixels, class number, score. There may be no rows.
struct YOLOv7EndToEndHead: Head {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { false }

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        guard evidence.outputs.count == 1, let shape = evidence.outputs.first?.shape, shape.count == 2, shape[1] == 7
        else {
            throw HeadMisfit(reason: "the outputs are not one list of rows of 7 values")
        }
        guard evidence.isAsked || !evidence.runs.allSatisfy({ $0.first?.shape.first == evidence.batch }) else {
            throw HeadMisfit(reason: "there are always as many rows as pictures")
        }
        classCount = evidence.labelCount ?? 0
        reason = "rows of picture, corners, class and score, as many as there are objects"
    }

    func check(_ evidence: HeadEvidence) throws(HeadMisfit) {
        let observed = evidence.observedRows()
        guard !observed.isEmpty else {
            throw HeadMisfit(
                reason:
                    "the loading runs gave no row, so that class and score can't be told apart; YOLO-NAS has them the "
                    + "other way round"
            )
        }
        try observed.requireProbabilities(6...6)
        try observed.requireClassNumbers(5)
        guard observed.share({ (0..<Float(evidence.batch)).contains($0.values[0]) }) == 1 else {
            throw HeadMisfit(reason: "the first value of a row is not a picture's place in the batch")
        }
        guard observed.share({ $0.values[6] > 0 }) == 1 else { throw HeadMisfit(reason: "a row has a score of 0") }
        guard observed.share({ $0.values[3] >= $0.values[1] && $0.values[4] >= $0.values[2] }) >= 0.99 else {
            throw HeadMisfit(reason: "the second to fifth values are no corners")
        }
    }

    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        guard let output = outputs.first, output.shape.count == 2, output.shape[1] == 7 else {
            throw HeadMisfit(reason: "the output is \(outputs.first?.shape ?? []), not rows of 7 values")
        }
        let values = try output.floats(at: Array(0..<output.count))
        return try stride(from: 0, to: values.count, by: 7).compactMap { start in
            let (picture, score) = (values[start], values[start + 6])
            if picture.isNaN || score.isNaN { throw HeadMisfit.scoreIsNaN }
            guard picture == Float(index), score > filter.confidence,
                let classID = try classNumber(values[start + 5]), filter.wants(classID)
            else { return nil }
            let box = Box(x1: values[start + 1], y1: values[start + 2], x2: values[start + 3], y2: values[start + 4])
            return Candidate(box: box, score: score, classID: classID, place: start / 7)
        }
    }
}
