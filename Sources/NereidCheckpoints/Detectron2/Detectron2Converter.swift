// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Makes ONNX graphs from the weights of a Detectron2 network and its configuration.
///
/// The first graph takes `images`, `[batch, 3, height, width]` of float32: pixels less the mean, divided by the deviation, in
/// the configuration's order of channels; sides are multiples of the metadata's `stride`, filled up with zeros at the right
/// and below. It ends before anything depends on what is seen:
///
/// - `detectron2.retinanet`: for each level `classes0`, …, `[batch, anchors · classes, h, w]` logits and `deltas0`, …,
///   `[batch, anchors · 4, h, w]`; the channels of an anchor lie together.
/// - `detectron2.rcnn`: for each level of proposals `objectness0`, …, `[batch, anchors, h, w]` logits and `deltas0`, …,
///   `[batch, anchors · 4, h, w]`; and for each level that regions are cut from `features0`, …, `[batch, channels, h, w]`.
///
/// Two-stage networks come with one or two more graphs. They take the first one's `features0`, `regions0`, `features1`, …;
/// regions are `[n, 5]`: the picture's place in the batch and the corners of a box in pixels of the input. Who runs them
/// sorts regions by level; the answers are in the order of the levels.
///
/// - `detectron2.boxes`: `classes`, `[n, classes + 1]` logits, the background last, and `deltas`, `[n, classes · 4]` or
///   `[n, 4]`.
/// - `detectron2.masks`: `masks`, `[n, classes or 1, side, side]` logits.
public enum Detectron2Converter {
    /// Counts up when the same checkpoint gives another graph than before, so that kept graphs are made anew.
    public static let version = 1

    /// Makes the graphs of a network.
    ///
    /// The whole network is checked here; its weights are read when the graphs are written.
    ///
    /// - Parameters:
    ///   - checkpoint: Weights that Detectron2 saved, `.pth` or `.pkl`.
    ///   - configuration: What they were trained with.
    ///   - precision: The precision that weights are kept in.
    ///   - featureOutputs: Whether the maps of the backbone are outputs too, by their names, to compare with Detectron2.
    /// - Throws: ``Detectron2Error`` when the weights are others than the configuration's; ``ConversionError``, or
    ///   ``CheckpointError`` when a tensor cannot be read.
    public static func convert(
        _ checkpoint: Checkpoint,
        configuration: Detectron2Configuration,
        precision: WeightPrecision = .float32,
        featureOutputs: Bool = false
    ) throws -> Detectron2Graphs {
        var network = Detectron2Network(
            graph: GraphBuilder(precision: precision),
            weights: try StateDictionary(checkpoint),
            configuration: configuration
        )
        var parts = Parts()
        let images = network.graph.input("images", [.batch, 3, "height", "width"])
        let features = try network.features(of: FeatureMap(value: images, channels: 3))
        switch configuration.architecture {
        case .retinaNet: try parts.addRetinaNet(&network, features)
        case .rcnn: try parts.addStages(&network, features, precision: precision)
        }
        if featureOutputs {
            for (name, feature) in features.sorted(by: { $0.key < $1.key }) {
                let shape: [GraphBuilder.Dimension] = [
                    .batch, .fixed(feature.map.channels), .free("\(name)height"), .free("\(name)width"),
                ]
                // Through an operation of its own, since a value has but one name.
                let copy = network.graph.add("Identity", [feature.map.value], at: "features.\(name)")
                network.graph.output(copy, named: name, shape)
            }
            parts.graphs[0].builder = network.graph
        }
        try network.weights.check()

        let labels = Detectron2Labels.labels(configuration.datasets, count: parts.classCount)
        var metadata = Detectron2Metadata(configuration, parts, stride: network.inputStride, labels: labels)
        metadata.source = try CheckpointConverter.hash(of: checkpoint)
        let graphs = try parts.graphs.map { part in
            try graph(part, metadata, labels, checkpointByteCount: checkpoint.byteCount)
        }
        var warnings = configuration.warnings
        if parts.classCount != parts.statedClassCount {
            warnings.append(
                "its configuration says \(parts.statedClassCount) classes, its weights have \(parts.classCount); "
                    + "the weights count"
            )
        }
        let leftOver = network.weights.leftOver
        if !leftOver.isEmpty {
            warnings.append("tensors that the configuration has no use for: \(Detectron2Error.list(leftOver))")
        }
        return Detectron2Graphs(network: graphs[0], stages: Array(graphs.dropFirst()), warnings: warnings)
    }

    private static func graph(
        _ part: Parts.Graph,
        _ metadata: Detectron2Metadata,
        _ labels: [String],
        checkpointByteCount: Int
    ) throws -> ConvertedGraph {
        let entries = metadata.entries(for: part.layout)
        let file = try part.builder.finished(metadata: entries, producerVersion: String(version))
        guard file.byteCount <= 4 * checkpointByteCount + CheckpointConverter.spareByteCount else {
            throw ConversionError.weightsRepeated(byteCount: file.byteCount, checkpointByteCount: checkpointByteCount)
        }
        let description = ConvertedGraph.Description(
            task: metadata.task,
            layout: part.layout,
            framework: .detectron2,
            labels: labels,
            strides: metadata.strides,
            inputSize: nil,
            needsSuppression: true,
            outputs: part.builder.outputNames,
            metadata: entries.map { ConvertedGraph.MetadataEntry(key: $0.key, value: $0.value) }
        )
        return ConvertedGraph(description: description, file: file)
    }
}

/// The graphs of a Detectron2 network.
public struct Detectron2Graphs: Sendable {
    /// The network; of a two-stage one its first stage.
    public let network: ConvertedGraph
    /// The later stages of a two-stage network: boxes, and masks if it has them.
    public let stages: [ConvertedGraph]
    /// What was read otherwise than it may have been meant, and tensors that were left over.
    public let warnings: [String]

    /// All of them, each with the name that it goes by in files and in the first one's metadata: empty for the first, then
    /// `boxes` and `masks`.
    public var named: [(name: String, graph: ConvertedGraph)] {
        [("", network)] + stages.map { ($0.description.layout == .regionMasks ? "masks" : "boxes", $0) }
    }
}

/// What a network comes to while its graphs are built.
struct Parts {
    struct Graph {
        let layout: GraphLayout
        var builder: GraphBuilder
    }

    var graphs: [Graph] = []
    var classCount = 0
    var statedClassCount = 0
    /// Strides of the levels that anchors stand on.
    var strides: [Int] = []
    /// Strides of the levels that regions are cut from.
    var regionStrides: [Int] = []

    mutating func addRetinaNet(
        _ network: inout Detectron2Network,
        _ features: [String: Detectron2Network.Feature]
    ) throws {
        guard let settings = network.configuration.retinaNet else { return }
        let levels = try network.selected(settings.levels, from: features, key: "MODEL.RETINANET.IN_FEATURES")
        strides = levels.map(\.stride)
        statedClassCount = settings.classCount
        classCount = try network.writeRetinaNet(
            settings,
            on: levels,
            anchorsPerCell: network.configuration.anchors.perCell
        )
        graphs = [Graph(layout: .retinaNetMaps, builder: network.graph)]
    }

    mutating func addStages(
        _ network: inout Detectron2Network,
        _ features: [String: Detectron2Network.Feature],
        precision: WeightPrecision
    ) throws {
        guard let proposals = network.configuration.proposals, let regions = network.configuration.regions else {
            return
        }
        let levels = try network.selected(proposals.levels, from: features, key: "MODEL.RPN.IN_FEATURES")
        strides = levels.map(\.stride)
        try network.writeProposals(proposals, on: levels, anchorsPerCell: network.configuration.anchors.perCell)
        let sources = try network.selected(regions.levels, from: features, key: "MODEL.ROI_HEADS.IN_FEATURES")
        regionStrides = sources.map(\.stride)
        for (index, source) in sources.enumerated() {
            let shape: [GraphBuilder.Dimension] = [
                .batch, .fixed(source.map.channels), .free("rows\(index)"), .free("columns\(index)"),
            ]
            network.graph.output(source.map.value, named: "features\(index)", shape)
        }
        let first = network.graph
        let inputs = sources.map { Detectron2Network.RegionLevel(channels: $0.map.channels, stride: $0.stride) }
        network.graph = GraphBuilder(precision: precision)
        statedClassCount = regions.classCount
        classCount = try network.writeBoxes(regions, levels: inputs)
        graphs = [Graph(layout: .proposalMaps, builder: first), Graph(layout: .regionClasses, builder: network.graph)]
        if let mask = regions.mask {
            network.graph = GraphBuilder(precision: precision)
            try network.writeMasks(mask, regions, classCount: classCount, levels: inputs)
            graphs.append(Graph(layout: .regionMasks, builder: network.graph))
        }
        network.graph = first
    }
}

extension Detectron2Configuration.Anchors {
    /// How many boxes start from each cell.
    var perCell: Int { (sizes.first?.count ?? 0) * (aspectRatios.first?.count ?? 0) }

    /// Width and height of the boxes of each level, sizes first, then aspect ratios.
    ///
    /// `generate_cell_anchors` in Detectron2's `modeling/anchor_generator.py`.
    var sides: [[(width: Double, height: Double)]] {
        zip(sizes, aspectRatios).map { sizes, ratios in
            sizes.flatMap { size in
                ratios.map { ratio in
                    let width = (size * size / ratio).squareRoot()
                    return (width, ratio * width)
                }
            }
        }
    }
}
