// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// Reads the raw maps of Detectron2's RetinaNet as converted graphs give them: for each level `classes0`, …,
/// `[N, anchors · C, h, w]` logits, and `deltas0`, …, `[N, anchors · 4, h, w]`.
///
/// `RetinaNet.inference_single_image` in Detectron2's `modeling/meta_arch/retinanet.py`: of each level the best so many
/// scores above the threshold are decoded.
struct RetinaNetHead: Head {
    let classCount: Int
    let reason: String
    let defaults: PredictionDefaults
    private let maps: AnchorMaps

    var needsSuppression: Bool { true }
    var dropsEmptyBoxes: Bool { true }
    var mayHaveUnlabelledClasses: Bool { true }
    /// The longest side of an anchor.
    var reach: Float { maps.anchors.joined().map { $0.max() }.max() ?? 0 }

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        try evidence.require(.retinaNet)
        maps = try evidence.anchorMaps(
            scores: "classes",
            deltas: "deltas",
            weights: HeadEvidence.Key.boxWeights,
            classCount: nil
        )
        classCount = maps.classCount
        defaults = try evidence.networkDefaults()
        guard classCount > 0 else { throw HeadMisfit(reason: "its maps have no room for a class") }
        reason = "raw maps at strides \(maps.strides): \(maps.anchors[0].count) anchors, \(classCount) classes"
    }

    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        let threshold = logitThreshold(filter.confidence)
        var candidates: [Candidate] = []
        for level in try MapLevel.levels(of: maps.scores, strides: maps.strides, in: outputs) {
            let finds = try maps.finds(in: outputs, picture: index, level: level, above: threshold) { classID, logit in
                filter.wants(classID) && sigmoid(logit) > filter.confidence
            }
            guard !finds.isEmpty else { continue }
            let boxes = try maps.boxes(of: finds, in: outputs, picture: index, level: level)
            candidates += zip(finds, boxes).map { find, box in
                Candidate(box: box, score: sigmoid(find.logit), classID: find.classID)
            }
        }
        return candidates
    }
}
