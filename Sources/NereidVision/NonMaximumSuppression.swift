// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Greedy non-maximum suppression: the best box stays, those that overlap it too much go, and so on down the scores.
///
/// Exact: every pair that matters is compared. Equal scores keep the order in which the candidates came, so that the same
/// outputs always give the same detections.
public struct NonMaximumSuppression: Sendable, Hashable {
    /// A box goes when its intersection over union with a better one is greater than this, 0…1.
    public var iou: Float
    /// Whether boxes of different classes suppress each other.
    public var classAgnostic: Bool
    /// The most candidates that stay; the search ends there.
    public var maxDetections: Int

    /// Makes a suppression with its thresholds.
    public init(iou: Float, classAgnostic: Bool, maxDetections: Int) {
        self.iou = iou
        self.classAgnostic = classAgnostic
        self.maxDetections = maxDetections
    }

    /// The candidates that stay, best first.
    public func callAsFunction(_ candidates: [Candidate]) -> [Candidate] {
        self(candidates, check: {})
    }

    /// The candidates that stay, best first.
    ///
    /// - Parameter check: called for every 64 candidates; may throw to stop.
    func callAsFunction<Stop: Error>(_ candidates: [Candidate], check: () throws(Stop) -> Void) throws(Stop)
        -> [Candidate]
    {
        var kept: [Candidate] = []
        var boxes: [Int: BoxCrowd] = [:]
        for (place, candidate) in Self.sorted(candidates).enumerated() {
            if place.isMultiple(of: 64) { try check() }
            guard kept.count < maxDetections else { break }
            let rivals = classAgnostic ? 0 : candidate.classID
            guard !boxes[rivals, default: BoxCrowd()].overlaps(candidate.box, by: iou) else { continue }
            boxes[rivals, default: BoxCrowd()].append(candidate.box)
            kept.append(candidate)
        }
        return kept
    }

    /// Candidates by falling score; equal ones stay in their order.
    static func sorted(_ candidates: [Candidate]) -> [Candidate] {
        // Sorting (score, index) pairs moves 8 bytes instead of 48 and makes the tie rule explicit.
        let order = candidates.indices
            .map { (score: candidates[$0].score, index: Int32($0)) }
            .sorted { $0.score != $1.score ? $0.score > $1.score : $0.index < $1.index }
        return order.map { candidates[Int($0.index)] }
    }
}
