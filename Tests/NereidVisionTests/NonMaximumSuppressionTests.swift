// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import TestSupport
import Testing

@testable import NereidVision

@Suite("Non-maximum suppression")
struct NonMaximumSuppressionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let seed: UInt64
        let suppression: NonMaximumSuppression

        var testDescription: String {
            let scope = suppression.classAgnostic ? "all classes" : "by class"
            return "seed \(seed), \(scope), IoU \(suppression.iou), at most \(suppression.maxDetections)"
        }
    }

    static let cases = (UInt64(0)..<4).flatMap { seed in
        [true, false].flatMap { classAgnostic in
            [Float(0), 0.3, 0.45, 0.7, 1].flatMap { iou in
                [1, 7, 1000].map { most in
                    Case(
                        seed: seed,
                        suppression: .init(iou: iou, classAgnostic: classAgnostic, maxDetections: most)
                    )
                }
            }
        }
    }

    @Test("keeps exactly what comparing every pair keeps", arguments: cases)
    func reference(sample: Case) {
        let candidates = Self.randomCandidates(count: 80, seed: sample.seed)
        #expect(sample.suppression(candidates) == Self.reference(sample.suppression, candidates))
    }

    @Test("keeps nothing of nothing and one of one")
    func few() {
        let suppression = NonMaximumSuppression(iou: 0.45, classAgnostic: true, maxDetections: 10)
        let one = Candidate(box: Box(x1: 1, y1: 2, x2: 3, y2: 4), score: 0.5, classID: 3)
        #expect(suppression([]).isEmpty)
        #expect(suppression([one]) == [one])
    }

    @Test("keeps the first of identical boxes with equal scores")
    func ties() {
        let box = Box(x1: 0, y1: 0, x2: 10, y2: 10)
        let candidates = (0..<5).map { Candidate(box: box, score: 0.5, classID: $0) }
        var suppression = NonMaximumSuppression(iou: 0.45, classAgnostic: true, maxDetections: 10)
        #expect(suppression(candidates) == [candidates[0]])
        suppression.classAgnostic = false
        #expect(suppression(candidates) == candidates)
        // An overlap equal to the threshold is not too much.
        suppression.classAgnostic = true
        suppression.iou = 1
        #expect(suppression(candidates) == candidates)
    }

    @Test("lets a suppressed box suppress nothing")
    func chain() {
        // The middle one overlaps both of its neighbours; they do not touch each other.
        let candidates = [Float(0), 6, 12].enumerated().map { index, left in
            Candidate(box: Box(x1: left, y1: 0, x2: left + 10, y2: 10), score: 0.9 - Float(index) / 10, classID: 0)
        }
        let suppression = NonMaximumSuppression(iou: 0.2, classAgnostic: true, maxDetections: 10)
        #expect(suppression(candidates) == [candidates[0], candidates[2]])
    }

    /// Boxes crowded enough to overlap, with coarse scores so that many are equal.
    private static func randomCandidates(count: Int, seed: UInt64) -> [Candidate] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            Candidate(
                box: Box(
                    centreX: .random(in: 0...100, using: &generator),
                    centreY: .random(in: 0...100, using: &generator),
                    width: .random(in: 10...50, using: &generator),
                    height: .random(in: 10...50, using: &generator)
                ),
                score: Float(Int.random(in: 0...20, using: &generator)) / 20,
                classID: .random(in: 0..<3, using: &generator)
            )
        }
    }

    /// Takes the best of what is left and removes what it suppresses, until nothing is left.
    private static func reference(_ rule: NonMaximumSuppression, _ candidates: [Candidate]) -> [Candidate] {
        var left = Array(candidates.enumerated())
        var kept: [Candidate] = []
        while kept.count < rule.maxDetections,
            let best = left.max(by: { ($0.element.score, -$0.offset) < ($1.element.score, -$1.offset) })
        {
            kept.append(best.element)
            left.removeAll { other in
                let competes = rule.classAgnostic || other.element.classID == best.element.classID
                return other.offset == best.offset
                    || competes && best.element.box.intersectionOverUnion(other.element.box) > rule.iou
            }
        }
        return kept
    }
}
