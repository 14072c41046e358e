// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What a Detectron2 graph's metadata says, so that its answers can be read without the configuration.
struct Detectron2Metadata {
    let task: NetworkTask
    let strides: [Int]
    /// The SHA-256 of the weights.
    var source = ""
    private let configuration: Detectron2Configuration
    private let labels: [String]
    private let stride: Int
    private let regionStrides: [Int]
    private let stages: [String]

    /// The keys that only this family has. Lists are JSON.
    private enum Key {
        /// `bgr` or `rgb`.
        static let channels = "nereid.channels"
        /// Three numbers, in the order of the channels; subtracted from pixels of 0…255, then divided by.
        static let mean = "nereid.mean"
        static let standardDeviation = "nereid.std"
        /// What the shorter side becomes, and what the longer one becomes at most.
        static let edges = "nereid.shortest_edge"
        /// The thresholds that count where nobody says otherwise.
        static let confidence = "nereid.confidence"
        static let iou = "nereid.iou"
        static let maxDetections = "nereid.max_detections"
        /// The offset of the first anchor's centre, in strides.
        static let offset = "nereid.anchor_offset"
        /// What the four deltas of a box are divided by.
        static let boxWeights = "nereid.box_weights"
        /// The best so many of each level are looked at.
        static let candidates = "nereid.candidates"
        /// Of proposals: the most that go on, their suppression's threshold, the least side, what their deltas are divided by.
        static let proposals = "nereid.proposals"
        static let proposalIoU = "nereid.proposal_iou"
        static let proposalSize = "nereid.proposal_min_size"
        static let proposalWeights = "nereid.proposal_box_weights"
        /// The strides of the maps that regions are cut from.
        static let regionStrides = "nereid.region_strides"
        /// `softmax` or `sigmoid`.
        static let scores = "nereid.scores"
        /// The graphs that follow: `["boxes","masks"]`.
        static let stages = "nereid.stages"
    }

    init(_ configuration: Detectron2Configuration, _ parts: Parts, stride: Int, labels: [String]) {
        self.configuration = configuration
        self.labels = labels
        self.stride = stride
        strides = parts.strides
        regionStrides = parts.regionStrides
        let layouts = parts.graphs.map(\.layout)
        task = layouts.contains(.regionMasks) ? .segment : .detect
        stages = layouts.compactMap { $0 == .regionClasses ? "boxes" : $0 == .regionMasks ? "masks" : nil }
    }

    func entries(for layout: GraphLayout) -> [(key: String, value: String)] {
        let common = [
            (key: GraphMetadata.task, value: task.rawValue),
            (GraphMetadata.framework, TrainingFramework.detectron2.rawValue),
            (GraphMetadata.layout, layout.rawValue),
            (GraphMetadata.source, source),
            (GraphMetadata.converter, String(Detectron2Converter.version)),
        ]
        guard layout == .retinaNetMaps || layout == .proposalMaps else { return common }
        return common + networkEntries + (layout == .retinaNetMaps ? retinaNetEntries : regionEntries)
    }

    private var networkEntries: [(key: String, value: String)] {
        let anchors = configuration.anchors.sides.map { level in
            Self.list(level.map { Self.list([String($0.width), String($0.height)]) })
        }
        let maxDetections = configuration.thresholds.maxDetections
        return [
            (GraphMetadata.names, GraphMetadata.pythonDictionary(labels)),
            (GraphMetadata.stride, String(stride)),
            (GraphMetadata.strides, Self.list(strides.map(String.init))),
            (GraphMetadata.anchors, Self.list(anchors)),
            (Key.offset, String(configuration.anchors.offset)),
            (Key.channels, configuration.input.isBGR ? "bgr" : "rgb"),
            (Key.mean, Self.list(configuration.input.mean.map { String($0) })),
            (Key.standardDeviation, Self.list(configuration.input.standardDeviation.map { String($0) })),
            (
                Key.edges,
                Self.list([configuration.input.shortestEdge, configuration.input.longestEdge].map(String.init))
            ),
            (Key.confidence, String(configuration.thresholds.confidence)),
            (Key.iou, String(configuration.thresholds.iou)),
            // Below zero all count.
            (Key.maxDetections, String(maxDetections > 0 ? maxDetections : 100_000)),
        ]
    }

    private var retinaNetEntries: [(key: String, value: String)] {
        guard let settings = configuration.retinaNet else { return [] }
        return [
            (Key.boxWeights, Self.list(settings.boxWeights.map { String($0) })),
            (Key.candidates, String(settings.candidates)),
        ]
    }

    private var regionEntries: [(key: String, value: String)] {
        guard let proposals = configuration.proposals, let regions = configuration.regions else { return [] }
        return [
            (Key.stages, "[\(stages.map { "\"\($0)\"" }.joined(separator: ","))]"),
            (Key.candidates, String(proposals.candidates)),
            (Key.proposals, String(proposals.count)),
            (Key.proposalIoU, String(proposals.iou)),
            (Key.proposalSize, String(proposals.minimumSize)),
            (Key.proposalWeights, Self.list(proposals.boxWeights.map { String($0) })),
            (Key.regionStrides, Self.list(regionStrides.map(String.init))),
            (Key.boxWeights, Self.list(regions.boxWeights.map { String($0) })),
            (Key.scores, regions.usesSigmoid ? "sigmoid" : "softmax"),
        ]
    }

    private static func list(_ elements: [String]) -> String { "[\(elements.joined(separator: ","))]" }
}

/// The class names of data sets that everybody knows.
enum Detectron2Labels {
    /// One name for each class: COCO's for its 80 classes when it was trained or tested on COCO, else numbers.
    static func labels(_ datasets: [String], count: Int) -> [String] {
        if count == coco.count, datasets.contains(where: { $0.hasPrefix("coco_") }) { return coco }
        return (0..<count).map { "class \($0)" }
    }

    /// The classes of COCO's instances, in the order of their numbers (Lin and others, arXiv:1405.0312).
    private static let coco = [
        "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
        "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
        "elephant",
        "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis",
        "snowboard",
        "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
        "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
        "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table",
        "toilet",
        "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
        "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
    ]
}
