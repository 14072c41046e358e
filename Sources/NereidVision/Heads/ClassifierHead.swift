// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference

/// Reads one output `[N, C]`, or `[N, C, 1, 1]`, of a network that says what the whole picture shows.
///
/// Numbers from 0 to 1 whose sum is 1 are taken for probabilities, others for logits, whose softmax is taken. Each class is a
/// candidate whose box is the whole input.
struct ClassifierHead: Head {
    let classCount: Int
    let reason: String
    var needsSuppression: Bool { false }
    var task: VisionTask { .classify }

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        if let layout = evidence.layout, layout != .probabilities {
            throw HeadMisfit(reason: "the metadata says ‘\(HeadEvidence.Key.layout): \(layout.rawValue)’")
        }
        guard evidence.outputs.count == 1, let shape = evidence.outputs.first?.shape, shape.count >= 2,
            shape.dropFirst(2).allSatisfy({ $0 == 1 }), shape[1] >= 2
        else { throw HeadMisfit(reason: "the outputs are not one list of two or more classes") }
        guard evidence.runs.allSatisfy({ $0.first?.shape.first == evidence.batch }) else {
            throw HeadMisfit(reason: "\(shape[0]) rows for \(evidence.batch) pictures: not one list for each")
        }
        classCount = shape[1]
        if let labels = evidence.labelCount, labels != classCount {
            throw HeadMisfit(reason: "\(classCount) classes, but there are \(labels) labels")
        }
        reason = "one output of \(classCount) classes"
    }

    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        guard let output = outputs.first, output.shape.count >= 2 else {
            throw HeadMisfit(reason: "there is no output of classes")
        }
        let values = try output.floats(picture: index)
        guard values.count == classCount else {
            throw HeadMisfit(reason: "\(values.count) classes, not \(classCount)")
        }
        guard values.allSatisfy(\.isFinite) else { throw HeadMisfit.scoreIsNaN }
        let whole = Box(x1: 0, y1: 0, x2: Float(input.width), y2: Float(input.height))
        return Self.probabilities(values).enumerated().compactMap { classID, probability in
            probability > filter.confidence && filter.wants(classID)
                ? Candidate(box: whole, score: probability, classID: classID, place: classID) : nil
        }
    }

    /// The numbers themselves if they are probabilities, perhaps rounded, else their softmax.
    static func probabilities(_ values: [Float]) -> [Float] {
        let range = -ObservedRows.rounding...1 + ObservedRows.rounding
        guard values.allSatisfy(range.contains), abs(values.reduce(0, +) - 1) < 0.01 else { return softmax(values) }
        return values.map { min(max($0, 0), 1) }
    }
}
