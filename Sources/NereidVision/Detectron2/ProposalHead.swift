// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// Reads the first stage of Detectron2's R-CNNs as converted graphs give it: for each level `objectness0`, …,
/// `[N, anchors, h, w]` logits, and `deltas0`, …, `[N, anchors · 4, h, w]`. Its candidates are places where any object may
/// be; ``RegionStages`` goes on with them.
///
/// `find_top_rpn_proposals` in Detectron2's `modeling/proposal_generator/proposal_utils.py`.
struct ProposalHead: Head {
    let classCount: Int
    let reason: String
    let task: VisionTask
    let defaults: PredictionDefaults
    /// The stages that follow, `boxes` and perhaps `masks`.
    let stages: [String]
    /// Places of different levels do not suppress each other.
    let suppression: NonMaximumSuppression
    private let maps: AnchorMaps
    private let leastSide: Float

    var needsSuppression: Bool { true }
    var dropsEmptyBoxes: Bool { true }
    var mayHaveUnlabelledClasses: Bool { true }

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        try evidence.require(.rcnn)
        maps = try evidence.anchorMaps(
            scores: "objectness",
            deltas: "deltas",
            weights: HeadEvidence.Key.proposalWeights,
            classCount: 1
        )
        guard let count = evidence.fileLabelCount, count > 0 else {
            throw HeadMisfit(reason: "the metadata's ‘names’ does not name the classes")
        }
        classCount = count
        stages = try evidence.stages()
        task = stages.contains("masks") ? .segment : .detect
        defaults = try evidence.networkDefaults()
        suppression = NonMaximumSuppression(
            iou: try evidence.real(HeadEvidence.Key.proposalIoU, in: 0...1),
            classAgnostic: false,
            maxDetections: try evidence.integer(HeadEvidence.Key.proposals, in: 1...100_000)
        )
        leastSide = try evidence.real(HeadEvidence.Key.proposalSize, in: 0...1e6)
        reason = "proposals at strides \(maps.strides), then \(stages.joined(separator: " and ")) of \(count) classes"
    }

    /// The best places of each level; the class is the level.
    ///
    /// - Parameter input: the part of the input that shows the picture, to which boxes are cut.
    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        var candidates: [Candidate] = []
        for level in try MapLevel.levels(of: maps.scores, strides: maps.strides, in: outputs) {
            let finds = try maps.finds(in: outputs, picture: index, level: level, above: -.infinity)
            let boxes = try maps.boxes(of: finds, in: outputs, picture: index, level: level)
            for (find, box) in zip(finds, boxes) {
                guard box.isFinite else { throw HeadMisfit.value("a proposal whose sides are not finite numbers") }
                let cut = box.cut(to: input)
                guard cut.width > leastSide, cut.height > leastSide else { continue }
                candidates.append(Candidate(box: cut, score: find.logit, classID: level.index))
            }
        }
        return candidates
    }

    /// The places that the next stage looks at, best first.
    ///
    /// - Parameter limit: when the work must stop.
    func proposals(
        in outputs: [Tensor],
        picture index: Int,
        content: PixelSize,
        limit: WorkLimit = .unlimited
    ) throws -> [Box] {
        try limit.check()
        let filter = CandidateFilter(confidence: -.infinity)
        let candidates = try candidates(in: outputs, picture: index, input: content, filter: filter)
        return try suppression(candidates, check: limit.check).map(\.box)
    }
}

extension HeadEvidence {
    /// The names of the stages that follow the graph.
    fileprivate func stages() throws(HeadMisfit) -> [String] {
        guard case .list(let elements) = metadata[Key.stages].flatMap(PythonLiteral.init(parsing:)) else {
            throw HeadMisfit(reason: "the metadata's ‘\(Key.stages)’ does not name the stages that follow")
        }
        let names = elements.compactMap { element in
            if case .string(let name) = element { name } else { nil }
        }
        guard names == ["boxes"] || names == ["boxes", "masks"] else {
            throw HeadMisfit(reason: "the metadata's ‘\(Key.stages)’ names \(names), not boxes, or boxes and masks")
        }
        return names
    }
}

extension Box {
    /// What of the box lies in a picture of this size whose corner is the origin.
    func cut(to size: PixelSize) -> Box {
        let (width, height) = (Float(size.width), Float(size.height))
        return Box(
            x1: min(max(x1, 0), width),
            y1: min(max(y1, 0), height),
            x2: min(max(x2, 0), width),
            y2: min(max(y2, 0), height)
        )
    }
}
