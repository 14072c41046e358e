// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The later stages, which take the first one's features and regions, `[n, 5]`: the picture's place in the batch and the
/// corners of a box in pixels of the network's input.
extension Detectron2Network {
    /// A map that regions are cut from, as an input of a graph.
    struct RegionLevel: Sendable {
        let channels: Int
        let stride: Int
    }

    /// Classes and boxes of regions, as outputs `classes` and `deltas`.
    ///
    /// `StandardROIHeads` and `Res5ROIHeads` in Detectron2's `modeling/roi_heads/roi_heads.py`, `FastRCNNConvFCHead` in its
    /// `box_head.py`, `FastRCNNOutputLayers` in its `fast_rcnn.py`.
    ///
    /// - Returns: The number of classes, which is the weights' own.
    mutating func writeBoxes(_ settings: Detectron2Configuration.Regions, levels: [RegionLevel]) throws -> Int {
        let pooled = pooledRegions(settings.box.pooling, levels)
        var vector: FeatureVector
        if settings.usesRes5 {
            let map = try lastStage(pooled)
            let mean = graph.add(
                "ReduceMean",
                [map.value],
                [.integers("axes", [2, 3]), .integer("keepdims", 0)],
                at: "box"
            )
            vector = FeatureVector(value: mean, count: map.channels)
        } else {
            vector = try boxHead(settings.box, pooled)
        }
        let path = "roi_heads.box_predictor"
        let rows = weights.shape(of: "\(path).cls_score.weight")?.first ?? settings.classCount + 1
        let classCount = rows > 1 ? rows - 1 : settings.classCount
        let scores = try linear(vector, outputs: classCount + 1, at: "\(path).cls_score")
        let boxes = settings.isClassAgnostic ? 4 : 4 * classCount
        let deltas = try linear(vector, outputs: boxes, at: "\(path).bbox_pred")
        graph.output(scores.value, named: "classes", [.free("regions"), .fixed(classCount + 1)])
        graph.output(deltas.value, named: "deltas", [.free("regions"), .fixed(boxes)])
        return classCount
    }

    /// Masks of regions, as output `masks`: `[n, classes, side, side]` logits.
    ///
    /// `MaskRCNNConvUpsampleHead` in Detectron2's `modeling/roi_heads/mask_head.py`.
    mutating func writeMasks(
        _ settings: Detectron2Configuration.MaskHead,
        _ regions: Detectron2Configuration.Regions,
        classCount: Int,
        levels: [RegionLevel]
    ) throws {
        var map = pooledRegions(regions.usesRes5 ? regions.box.pooling : settings.pooling, levels)
        if regions.usesRes5 { map = try lastStage(map) }
        let path = "roi_heads.mask_head"
        for index in 0..<settings.convolutions {
            let convolution = try layer(
                "\(path).mask_fcn\(index + 1)",
                inputs: map.channels,
                outputs: settings.channels,
                kernel: 3,
                normalisation: settings.normalisation
            )
            map = try apply(convolution, to: map)
        }
        var enlarging = Convolution(
            weights: weights.weights("\(path).deconv.weight", shape: [map.channels, settings.channels, 2, 2])
        )
        enlarging.bias = try weights.numbers("\(path).deconv.bias", count: settings.channels)
        enlarging.stride = .init(2)
        enlarging.isTransposed = true
        map = activated(try graph.convolution(map, enlarging, at: "\(path).deconv"), at: "\(path).deconv")
        let count = settings.isClassAgnostic ? 1 : classCount
        let predictor = try layer("\(path).predictor", inputs: map.channels, outputs: count, kernel: 1)
        map = try apply(predictor, to: map, activates: false)
        graph.output(map.value, named: "masks", [.free("regions"), .fixed(count), .free("rows"), .free("columns")])
    }

    /// Numbers of each region.
    private struct FeatureVector {
        let value: GraphValue
        let count: Int
    }

    private mutating func boxHead(
        _ settings: Detectron2Configuration.BoxHead,
        _ pooled: FeatureMap
    ) throws -> FeatureVector {
        let path = "roi_heads.box_head"
        var map = pooled
        for index in 0..<settings.convolutions {
            let convolution = try layer(
                "\(path).conv\(index + 1)",
                inputs: map.channels,
                outputs: settings.convolutionChannels,
                kernel: 3,
                normalisation: settings.normalisation
            )
            map = try apply(convolution, to: map)
        }
        let cells = settings.pooling.resolution * settings.pooling.resolution
        let flat = graph.add("Flatten", [map.value], [.integer("axis", 1)], at: path)
        var vector = FeatureVector(value: flat, count: map.channels * cells)
        for index in 0..<settings.layers {
            let name = "\(path).fc\(index + 1)"
            let result = try linear(vector, outputs: settings.layerChannels, at: name)
            vector = FeatureVector(value: graph.add("Relu", [result.value], at: name), count: result.count)
        }
        return vector
    }

    private mutating func linear(_ vector: FeatureVector, outputs: Int, at path: String) throws -> FeatureVector {
        let matrix = weights.weights("\(path).weight", shape: [outputs, vector.count])
        let bias = try weights.numbers("\(path).bias", count: outputs)
        let value = graph.add(
            "Gemm",
            [vector.value, graph.weights(matrix, named: "\(path).weight"), graph.numbers(bias, named: "\(path).bias")],
            [.integer("transB", 1)],
            at: path
        )
        return FeatureVector(value: value, count: outputs)
    }

    /// The backbone's last stage, on regions. `Res5ROIHeads._build_res5_block`.
    private mutating func lastStage(_ regions: FeatureMap) throws -> FeatureMap {
        try stage(regions, index: 3, blocks: 3, stride: 2, dilation: 1, at: "roi_heads.res5")
    }

    /// Cuts regions out of maps: those of each level from the inputs `features0`, `regions0`, `features1`, …, and then those
    /// of all levels one after another.
    ///
    /// `ROIPooler` in Detectron2's `modeling/poolers.py`; which region goes to which level is for who runs the graph.
    private mutating func pooledRegions(
        _ pooling: Detectron2Configuration.Pooling,
        _ levels: [RegionLevel]
    ) -> FeatureMap {
        var parts: [FeatureMap] = []
        for (index, level) in levels.enumerated() {
            let features = graph.input(
                "features\(index)",
                [.batch, .fixed(level.channels), .free("height\(index)"), .free("width\(index)")]
            )
            let regions = graph.input("regions\(index)", [.free("count\(index)"), 5])
            let path = "pooler\(index)"
            let columns = graph.split(regions, into: [1, 4], axis: 1, at: path)
            let flat = graph.reshape(columns[0], [-1], at: path)
            // The batch's pictures are few, so that they are whole numbers in floating point too.
            let pictures = graph.add(
                "Cast",
                [flat],
                [.integer("to", Onnx_TensorProto.DataType.int64.rawValue)],
                at: path
            )
            let cut = graph.add(
                "RoiAlign",
                [features, columns[1], pictures],
                [
                    .text("coordinate_transformation_mode", pooling.isAligned ? "half_pixel" : "output_half_pixel"),
                    .text("mode", "avg"),
                    .integer("output_height", pooling.resolution),
                    .integer("output_width", pooling.resolution),
                    .integer("sampling_ratio", pooling.samplingRatio),
                    .real("spatial_scale", 1 / Float(level.stride)),
                ],
                at: path
            )
            parts.append(FeatureMap(value: cut, channels: level.channels))
        }
        let all = graph.concatenation(parts.map(\.value), axis: 0, at: "pooler")
        return FeatureMap(value: all, channels: parts[0].channels)
    }
}
