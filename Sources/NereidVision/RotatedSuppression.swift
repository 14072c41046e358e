// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// Suppression of boxes that may be turned, by how alike they are as normal distributions.
///
/// Two boxes are compared by ProbIoU (Llerena and others, “Gaussian Bounding Boxes and Probabilistic Intersection-over-Union
/// for Object Detection”, arXiv:2106.06072), `batch_probiou` in Ultralytics' `utils/metrics.py`. Every candidate that is too
/// much like a better one goes, whether or not that one itself stays: Fast NMS (Bolya and others, arXiv:1904.02689),
/// `TorchNMS.fast_nms` in its `utils/nms.py`.
struct RotatedSuppression: Sendable {
    /// A box goes when its ProbIoU with a better one is at least this, 0…1.
    var iou: Float
    /// Whether boxes of different classes suppress each other.
    var classAgnostic: Bool
    /// The most candidates that stay.
    var maxDetections: Int

    /// Only so many of the best candidates are compared, as in Ultralytics.
    private static let mostCandidates = 30_000

    /// The candidates that stay, best first. Equal scores keep their order.
    func callAsFunction(_ candidates: [Candidate]) -> [Candidate] {
        self(candidates, check: {})
    }

    /// The candidates that stay, best first. Equal scores keep their order.
    ///
    /// - Parameter check: called for every 64 candidates; may throw to stop.
    func callAsFunction<Stop: Error>(_ candidates: [Candidate], check: () throws(Stop) -> Void) throws(Stop)
        -> [Candidate]
    {
        let sorted = NonMaximumSuppression.sorted(candidates).prefix(Self.mostCandidates)
        // The Bhattacharyya distance up to which boxes are alike enough.
        let limit = iou > 0 ? -log(1 - (1 - iou) * (1 - iou)) : .infinity
        var better: [Int: [Gaussian]] = [:]
        var kept: [Candidate] = []
        for (place, candidate) in sorted.enumerated() {
            if place.isMultiple(of: 64) { try check() }
            guard kept.count < maxDetections else { break }
            let rivals = classAgnostic ? 0 : candidate.classID
            let shape = Gaussian(candidate)
            let isSuppressed = better[rivals, default: []].contains {
                // Most pairs are so far apart that this decides, without a root or a logarithm.
                shape.leastDistance(to: $0) <= limit + 1e-3 && shape.likeness($0) >= iou
            }
            better[rivals, default: []].append(shape)
            if !isSuppressed { kept.append(candidate) }
        }
        return kept
    }

    /// A turned box as a normal distribution: centre and covariance.
    struct Gaussian {
        let x: Float
        let y: Float
        /// Variances along x and along y, and the covariance.
        let a: Float
        let b: Float
        let c: Float
        /// The square of the longer side.
        let reach: Float

        init(_ candidate: Candidate) {
            let (width, height) = (candidate.box.width, candidate.box.height)
            (x, y) = ((candidate.box.x1 + candidate.box.x2) / 2, (candidate.box.y1 + candidate.box.y2) / 2)
            let (along, across) = (width * width / 12, height * height / 12)
            let (cosine, sine) = (cos(candidate.angle), sin(candidate.angle))
            a = along * cosine * cosine + across * sine * sine
            b = along * sine * sine + across * cosine * cosine
            c = (along - across) * cosine * sine
            reach = max(width * width, height * height)
        }

        /// ProbIoU, 0…1.
        func likeness(_ other: Gaussian) -> Float {
            let epsilon: Float = 1e-7
            let (sumA, sumB, sumC) = (a + other.a, b + other.b, c + other.c)
            let (dx, dy) = (x - other.x, y - other.y)
            let determinant = sumA * sumB - sumC * sumC
            let distance =
                (sumA * dy * dy + sumB * dx * dx) / (determinant + epsilon) / 4
                - sumC * dx * dy / (determinant + epsilon) / 2
            let own = max(a * b - c * c, 0) * max(other.a * other.b - other.c * other.c, 0)
            let spread = log(determinant / (4 * own.squareRoot() + epsilon) + epsilon) / 2
            let bhattacharyya = min(max(distance + spread, epsilon), 100)
            return 1 - (1 - exp(-bhattacharyya) + epsilon).squareRoot()
        }

        /// A lower bound of the Bhattacharyya distance: no variance is greater than a twelfth of the longer side's square.
        func leastDistance(to other: Gaussian) -> Float {
            let (dx, dy) = (x - other.x, y - other.y)
            return 3 * (dx * dx + dy * dy) / (reach + other.reach)
        }
    }
}
