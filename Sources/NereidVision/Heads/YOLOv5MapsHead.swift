// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// Reads YOLOv5's raw maps as converted graphs give them: for each level `map0`, `map1`, …, `[N, a·(5+C+M), h, w]`, anchor
/// after anchor the logits of x, y, width, height, objectness, classes, and M mask coefficients.
///
/// With σ the logistic function, a box is `(2σ − 0.5 + cell)·stride` and `(2σ)²·anchor`, and a score is σ(objectness) times
/// σ(best class), both of which must pass the threshold: `Detect.forward` in YOLOv5's `models/yolo.py` and
/// `non_max_suppression` in its `utils/general.py`. Only what passes the objectness's own threshold is looked at further.
struct YOLOv5MapsHead: Head {
    let classCount: Int
    let reason: String
    let extra: Extra?
    var needsSuppression: Bool { true }
    /// Half of the longest box: its sides are at most four times those of its anchor.
    var reach: Float { 2 * (anchors.joined().map { $0.max() }.max() ?? 0) }
    private let strides: [Int]
    private let anchors: [[SIMD2<Float>]]
    private let maps: [Int]

    /// Values of an anchor: four sides, objectness, classes, masks.
    private var attributes: Int { 5 + classCount + (extra?.valueCount ?? 0) }
    private var anchorCount: Int { anchors[0].count }

    init(fitting evidence: HeadEvidence) throws(HeadMisfit) {
        try evidence.require(.yolov5Maps)
        strides = try evidence.mapStrides()
        anchors = try evidence.mapAnchors(levels: strides.count)
        let masks = try evidence.mapMasks()
        extra =
            masks > 0
            ? .masks(
                coefficients: masks,
                prototypes: try evidence.map("prototypes", channels: masks),
                rule: .sigmoidThenEnlarge
            ) : nil
        let channels = evidence.outputs[try evidence.map("map0")].shape[1]
        let room = channels / anchors[0].count - 5 - masks
        guard channels.isMultiple(of: anchors[0].count), room >= 1, evidence.labelCount.map({ $0 == room }) ?? true
        else {
            throw HeadMisfit(reason: "\(channels) channels are not \(anchors[0].count) anchors of 5 values and classes")
        }
        classCount = room
        var maps: [Int] = []
        for level in strides.indices { maps.append(try evidence.map("map\(level)", channels: channels)) }
        self.maps = maps
        reason =
            "raw maps at strides \(strides): \(anchors[0].count) anchors, \(room) classes\(extra?.description ?? "")"
    }

    func candidates(in outputs: [Tensor], picture index: Int, input: PixelSize, filter: CandidateFilter)
        throws -> [Candidate]
    {
        var candidates: [Candidate] = []
        for level in try MapLevel.levels(of: maps, strides: strides, in: outputs) {
            try outputs.requireMap(maps[level.index], channels: anchorCount * attributes, cells: level.cells)
            try outputs[maps[level.index]].withFloats(picture: index) { values in
                guard !Float.containsNaN(values) else { throw HeadMisfit.scoreIsNaN }
                for anchor in 0..<anchorCount {
                    let extent = attributes * level.cells
                    let planes = values.extracting(anchor * extent..<(anchor + 1) * extent)
                    read(planes, level, anchor: anchor, filter: filter, into: &candidates)
                }
            }
        }
        return candidates
    }

    /// Reads one anchor's planes of a level.
    private func read(
        _ planes: Span<Float>,
        _ level: MapLevel,
        anchor: Int,
        filter: CandidateFilter,
        into candidates: inout [Candidate]
    ) {
        let cells = level.cells
        var present: [Int] = []
        planes.extracting(4 * cells..<5 * cells).forEachIndex(above: logitThreshold(filter.confidence)) {
            present.append($0)
        }
        guard !present.isEmpty else { return }
        // Class by class, as the planes lie in memory, and in each only the cells where something is.
        var best = [(classID: Int, logit: Float)](repeating: (0, -.infinity), count: present.count)
        for classID in 0..<classCount {
            let plane = planes.extracting((5 + classID) * cells..<(6 + classID) * cells)
            for (index, cell) in present.enumerated() where plane[cell] > best[index].logit {
                best[index] = (classID, plane[cell])
            }
        }
        for (cell, (classID, logit)) in zip(present, best) where filter.wants(classID) {
            let objectness = sigmoid(planes[4 * cells + cell])
            let score = objectness * sigmoid(logit)
            guard objectness > filter.confidence, score > filter.confidence else { continue }
            let sides = (0..<4).map { 2 * sigmoid(planes[$0 * cells + cell]) }
            let box = Box(
                centreX: (sides[0] - 0.5 + Float(cell % level.columns)) * Float(level.stride),
                centreY: (sides[1] - 0.5 + Float(cell / level.columns)) * Float(level.stride),
                width: sides[2] * sides[2] * anchors[level.index][anchor].x,
                height: sides[3] * sides[3] * anchors[level.index][anchor].y
            )
            let place = level.firstCell * anchorCount + anchor * cells + cell
            candidates.append(Candidate(box: box, score: score, classID: classID, place: place))
        }
    }

    func extras(of candidate: Candidate, in outputs: [Tensor], picture index: Int, input: PixelSize) throws -> [Float] {
        guard let extra else { return [] }
        let levels = try MapLevel.levels(of: maps, strides: strides, in: outputs)
        guard let level = levels.last(where: { $0.firstCell * anchorCount <= candidate.place }), level.cells > 0 else {
            throw HeadMisfit(reason: "there is no cell \(candidate.place)")
        }
        let (anchor, cell) = (candidate.place - level.firstCell * anchorCount).quotientAndRemainder(
            dividingBy: level.cells
        )
        let channel = (index * anchorCount + anchor) * attributes
        let channels = [channel + 4] + (0..<extra.valueCount).map { channel + 5 + classCount + $0 }
        let values = try outputs[maps[level.index]].floats(at: channels.map { $0 * level.cells + cell })
        // `non_max_suppression` multiplies all that follows the objectness by it, not the classes only.
        return values.dropFirst().map { $0 * sigmoid(values[0]) }
    }
}
