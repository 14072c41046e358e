// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// What an answer has to be to be given at all: what lies beyond is a sign that the model's outputs are read wrongly or that
/// it failed, and is never told as if it had been seen.
struct Plausibility {
    /// The size of the model's input.
    let input: PixelSize
    /// How far boxes may reach beyond it, if that is more than its longer side.
    var reach: Float = 0

    /// A score, cut to 1 if it was only rounded above it.
    ///
    /// - Throws: ``HeadMisfit`` for scores above 1 and for what is not a number.
    func score(_ score: Float, of what: String = "score") throws(HeadMisfit) -> Float {
        guard !score.isNaN else { throw .value("a \(what) that is not a number") }
        guard score <= 1 + ObservedRows.rounding else { throw .value("a \(what) of \(score), while scores are 0 to 1") }
        return min(score, 1)
    }

    /// The candidates with scores cut to 1.
    ///
    /// - Throws: ``HeadMisfit`` for a score, a box or an angle that can't be right.
    func checked(_ candidates: [Candidate]) throws(HeadMisfit) -> [Candidate] {
        var candidates = candidates
        for index in candidates.indices {
            candidates[index].score = try score(candidates[index].score)
            guard candidates[index].box.isFinite, candidates[index].angle.isFinite else {
                throw .value("a box whose sides are not finite numbers")
            }
        }
        return candidates
    }

    /// Checks boxes that are to be told.
    ///
    /// A box may be larger than what is seen of its object, but not reach beyond the input by more than the input's longer
    /// side, or ``reach``.
    ///
    /// - Throws: ``HeadMisfit``.
    func requireNear(_ candidates: [Candidate]) throws(HeadMisfit) {
        let margin = max(Float(max(input.width, input.height)), reach)
        for box in candidates.map(\.box)
        where min(box.x1, box.x2) < -margin || min(box.y1, box.y2) < -margin
            || max(box.x1, box.x2) > Float(input.width) + margin || max(box.y1, box.y2) > Float(input.height) + margin
        {
            let sides = [box.x1, box.y1, box.x2, box.y2].map(\.description).joined(separator: ", ")
            throw .value("a box of [\(sides)] in an input of \(input)")
        }
    }

    /// Keypoints, two or three numbers each, with scores cut to 1.
    ///
    /// - Throws: ``HeadMisfit`` for what is not finite and for scores above 1.
    func keypoints(_ numbers: [Float], valuesOfPoint: Int) throws(HeadMisfit) -> [Float] {
        var numbers = numbers
        for index in numbers.indices {
            guard numbers[index].isFinite else { throw .value("a keypoint that is not a finite number") }
            if index % valuesOfPoint == 2 { numbers[index] = try score(numbers[index], of: "keypoint's score") }
        }
        return numbers
    }
}
