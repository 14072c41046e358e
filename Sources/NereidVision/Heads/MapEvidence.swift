// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidInference

/// What converted graphs, which end at a head's raw maps, say of them in their metadata.
extension HeadEvidence {
    /// The keys of the metadata that converted graphs carry.
    enum Key {
        static let layout = "nereid.layout"
        static let strides = "nereid.strides"
        static let anchors = "nereid.anchors"
        static let bins = "nereid.reg_max"
        static let suppression = "nereid.suppression"
        static let masks = "nereid.masks"
        static let preprocessing = "nereid.preprocess"
        static let framework = "nereid.framework"
        static let warnings = "nereid.warnings"
        // Of Detectron2's networks.
        static let channels = "nereid.channels"
        static let mean = "nereid.mean"
        static let standardDeviation = "nereid.std"
        static let edges = "nereid.shortest_edge"
        static let confidence = "nereid.confidence"
        static let iou = "nereid.iou"
        static let maxDetections = "nereid.max_detections"
        static let anchorOffset = "nereid.anchor_offset"
        static let boxWeights = "nereid.box_weights"
        static let candidates = "nereid.candidates"
        static let proposals = "nereid.proposals"
        static let proposalIoU = "nereid.proposal_iou"
        static let proposalSize = "nereid.proposal_min_size"
        static let proposalWeights = "nereid.proposal_box_weights"
        static let regionStrides = "nereid.region_strides"
        static let scores = "nereid.scores"
        static let stages = "nereid.stages"
    }

    /// The values of ``Key/layout``.
    enum Layout: String {
        case yolov5Maps = "yolov5.maps"
        case yolov8Maps = "yolov8.maps"
        case decoded
        case probabilities
        case retinaNet = "detectron2.retinanet"
        case rcnn = "detectron2.rcnn"
    }

    /// The layout that the metadata names; `nil` when it names none, or one that is not known.
    var layout: Layout? { metadata[Key.layout].flatMap(Layout.init) }

    /// - Throws: ``HeadMisfit`` when the metadata does not name this layout.
    func require(_ layout: Layout) throws(HeadMisfit) {
        guard self.layout == layout else {
            throw HeadMisfit(reason: "the metadata does not say ‘\(Key.layout): \(layout.rawValue)’")
        }
    }

    /// The strides of the levels, one to eight of them.
    func mapStrides() throws(HeadMisfit) -> [Int] {
        guard let strides = integers(Key.strides), (1...8).contains(strides.count),
            strides.allSatisfy({ (1...1024).contains($0) })
        else { throw HeadMisfit(reason: "the metadata's ‘\(Key.strides)’ is not a list of strides") }
        return strides
    }

    /// Width and height of the anchors in input pixels, level by level. A side may be 0: the framework's boxes are then without
    /// that side, and so are these.
    func mapAnchors(levels: Int) throws(HeadMisfit) -> [[SIMD2<Float>]] {
        let anchors = metadata[Key.anchors].flatMap(PythonLiteral.init(parsing:))?.pairs
        guard let anchors, anchors.count == levels, let first = anchors.first, !first.isEmpty, first.count <= 64,
            anchors.allSatisfy({ $0.count == first.count })
        else {
            throw HeadMisfit(reason: "the metadata's ‘\(Key.anchors)’ does not give \(levels) levels their anchors")
        }
        return anchors
    }

    /// The number of mask coefficients; 0 when there are none.
    func mapMasks() throws(HeadMisfit) -> Int {
        guard metadata[Key.masks] != nil else { return 0 }
        guard let masks = integers(Key.masks), masks.count == 1, (0...1024).contains(masks[0]) else {
            throw HeadMisfit(reason: "the metadata's ‘\(Key.masks)’ is not a number of masks")
        }
        return masks[0]
    }

    /// The place of the output with this name, whose shape is `[N, channels, h, w]`.
    func map(_ name: String, channels: Int? = nil) throws(HeadMisfit) -> Int {
        guard let index = outputs.firstIndex(where: { $0.name == name }) else {
            throw HeadMisfit(reason: "there is no output ‘\(name)’")
        }
        let shape = outputs[index].shape
        guard shape.count == 4, channels.map({ shape[1] == $0 }) ?? (shape[1] > 0) else {
            throw HeadMisfit(reason: "output ‘\(name)’ is \(shape), not [N, \(channels.map(String.init) ?? "C"), h, w]")
        }
        return index
    }
}

/// One level of a pyramid of maps in one run: where its numbers lie, and where its cells are counted from.
struct MapLevel {
    let index: Int
    let stride: Int
    let columns: Int
    let cells: Int
    /// The count of cells in the levels before it.
    let firstCell: Int

    /// The levels, as large as the maps of this run are.
    ///
    /// - Parameters:
    ///   - maps: for each level, the place of an output that has its size.
    ///   - outputs: the outputs of a run.
    /// - Throws: ``HeadMisfit`` when an output is no map.
    static func levels(of maps: [Int], strides: [Int], in outputs: [Tensor]) throws(HeadMisfit) -> [MapLevel] {
        var levels: [MapLevel] = []
        var firstCell = 0
        for (index, (map, stride)) in zip(maps, strides).enumerated() {
            guard outputs.indices.contains(map), outputs[map].shape.count == 4 else {
                throw HeadMisfit(reason: "output \(map) is not [N, C, h, w]")
            }
            let (rows, columns) = (outputs[map].shape[2], outputs[map].shape[3])
            levels.append(
                MapLevel(index: index, stride: stride, columns: columns, cells: rows * columns, firstCell: firstCell)
            )
            firstCell += rows * columns
        }
        return levels
    }
}

extension [Tensor] {
    /// Checks that an output has so many channels of so many cells, before its numbers are counted on.
    func requireMap(_ index: Int, channels: Int, cells: Int) throws(HeadMisfit) {
        guard indices.contains(index), self[index].shape.count == 4, self[index].shape[1] == channels,
            self[index].shape[2] * self[index].shape[3] == cells
        else {
            let shape = indices.contains(index) ? self[index].shape : []
            throw HeadMisfit(reason: "output \(index) is \(shape), not \(channels) channels of \(cells) cells")
        }
    }
}
