// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidVision

@Suite("Suppression of turned boxes")
struct RotatedSuppressionTests {
    static func candidate(_ x: Float, _ y: Float, _ width: Float, _ height: Float, _ angle: Float, score: Float = 0.5)
        -> Candidate
    {
        Candidate(
            box: Box(centreX: x, centreY: y, width: width, height: height),
            score: score,
            classID: 0,
            angle: angle
        )
    }

    /// Pairs of boxes with what `batch_probiou` of Ultralytics' formulas gives in double precision.
    static let likenesses: [(Candidate, Candidate, Float)] = [
        (candidate(50, 50, 40, 20, 0.3), candidate(50, 50, 40, 20, 0.3), 0.99955),
        (candidate(50, 50, 40, 20, 0), candidate(60, 50, 40, 20, 0), 0.70085),
        (candidate(50, 50, 40, 20, 0), candidate(50, 50, 20, 40, .pi / 2), 0.99955),
        (candidate(50, 50, 40, 10, 0), candidate(50, 50, 40, 10, .pi / 2), 0.27239),
        (candidate(10, 20, 30, 12, 0.7), candidate(14, 17, 25, 15, -0.4), 0.48944),
        (candidate(0, 0, 10, 10, 0), candidate(500, 0, 10, 10, 0), 0),
    ]

    @Test("compares by ProbIoU", arguments: likenesses)
    func likeness(one: Candidate, other: Candidate, expected: Float) {
        let (a, b) = (RotatedSuppression.Gaussian(one), RotatedSuppression.Gaussian(other))
        #expect(abs(a.likeness(b) - expected) < 1e-3)
        #expect(abs(b.likeness(a) - expected) < 1e-3)
    }

    @Test("keeps exactly what comparing every pair keeps", arguments: UInt64(0)..<6)
    func reference(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let candidates = (0..<120).map { _ in
            var candidate = Self.candidate(
                .random(in: 0...100, using: &generator),
                .random(in: 0...100, using: &generator),
                .random(in: 1...40, using: &generator),
                .random(in: 1...40, using: &generator),
                .random(in: -2...2, using: &generator),
                score: Float(Int.random(in: 0...20, using: &generator)) / 20
            )
            candidate.classID = .random(in: 0..<3, using: &generator)
            return candidate
        }
        for iou in [Float(0), 0.1, 0.45, 0.7, 1] {
            for classAgnostic in [true, false] {
                for most in [3, 1000] {
                    let rule = RotatedSuppression(iou: iou, classAgnostic: classAgnostic, maxDetections: most)
                    let sorted = NonMaximumSuppression.sorted(candidates)
                    let kept = sorted.enumerated().filter { index, candidate in
                        !sorted[..<index].contains { better in
                            (classAgnostic || better.classID == candidate.classID)
                                && RotatedSuppression.Gaussian(candidate).likeness(.init(better)) >= iou
                        }
                    }
                    #expect(rule(candidates) == kept.map(\.element).prefix(most).map(\.self))
                }
            }
        }
    }

    @Test("lets a suppressed box suppress others too")
    func chain() {
        // The middle one is like both of its neighbours; they are not like each other.
        let candidates = [Float(0), 6, 12].enumerated().map { index, x in
            Self.candidate(x, 0, 20, 20, 0, score: 0.9 - Float(index) / 10)
        }
        let rule = RotatedSuppression(iou: 0.55, classAgnostic: true, maxDetections: 10)
        #expect(rule(candidates) == [candidates[0]])
    }

    @Test("survives boxes without an extent")
    func degenerate() {
        let rule = RotatedSuppression(iou: 0.45, classAgnostic: true, maxDetections: 10)
        let flat = (0..<3).map { Self.candidate(Float($0) * 50, 0, 0, 0, 0) }
        #expect(!rule(flat).isEmpty)
        #expect(rule([]).isEmpty)
    }
}
