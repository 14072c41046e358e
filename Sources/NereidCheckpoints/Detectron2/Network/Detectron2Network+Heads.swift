// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Detectron2Network {
    /// Classes and boxes of RetinaNet (Lin and others, arXiv:1708.02002), as outputs `classes0`, `deltas0`, `classes1`, ….
    ///
    /// `RetinaNetHead` in Detectron2's `modeling/meta_arch/retinanet.py`.
    ///
    /// - Returns: The number of classes, which is the weights' own.
    mutating func writeRetinaNet(
        _ settings: Detectron2Configuration.RetinaNet,
        on levels: [Feature],
        anchorsPerCell: Int
    ) throws -> Int {
        let channels = levels[0].map.channels
        let rows = weights.shape(of: "head.cls_score.weight")?.first ?? settings.classCount * anchorsPerCell
        let isWhole = rows > 0 && rows % anchorsPerCell == 0
        let classCount = isWhole ? rows / anchorsPerCell : settings.classCount
        let classTower = try tower("head.cls_subnet", settings, channels: channels)
        let boxTower = try tower("head.bbox_subnet", settings, channels: channels)
        let scores = try layer(
            "head.cls_score",
            inputs: channels,
            outputs: classCount * anchorsPerCell,
            kernel: 3
        )
        let boxes = try layer("head.bbox_pred", inputs: channels, outputs: 4 * anchorsPerCell, kernel: 3)
        for (index, level) in levels.enumerated() {
            let dimensions: [GraphBuilder.Dimension] = [.free("height\(index)"), .free("width\(index)")]
            let classMap = try apply(scores, to: try climb(classTower, level.map, level: index), activates: false)
            graph.output(classMap.value, named: "classes\(index)", [.batch, .fixed(classMap.channels)] + dimensions)
            let boxMap = try apply(boxes, to: try climb(boxTower, level.map, level: index), activates: false)
            graph.output(boxMap.value, named: "deltas\(index)", [.batch, .fixed(boxMap.channels)] + dimensions)
        }
        return classCount
    }

    /// A layer of a tower, and where each level has statistics of its own, a scaling for each.
    private struct Step {
        let layer: Layer
        let scalings: [ChannelScaling]
    }

    /// Convolutions one after another, each followed by its normalisation under the next number, and a rectifier without a
    /// name.
    private mutating func tower(
        _ path: String,
        _ settings: Detectron2Configuration.RetinaNet,
        channels: Int
    ) throws -> [Step] {
        let pace = settings.normalisation == .none ? 2 : 3
        return try (0..<settings.convolutions).map { index in
            let own = "\(path).\(index * pace)"
            let norm = "\(path).\(index * pace + 1)"
            // Each level learns statistics of its own where batches are normalised; factor and shift are shared.
            let isByLevel = weights.shape(of: "\(norm).0.running_mean") != nil
            let layer = try layer(
                own,
                inputs: channels,
                outputs: channels,
                kernel: 3,
                normalisation: isByLevel ? .none : settings.normalisation,
                normalisationPath: norm,
                hasBias: true
            )
            var scalings: [ChannelScaling] = []
            if isByLevel {
                for level in settings.levels.indices {
                    scalings.append(
                        try batchScaling(norm, channels: channels, statistics: "\(norm).\(level)")
                    )
                }
            }
            return Step(layer: layer, scalings: scalings)
        }
    }

    private mutating func climb(_ steps: [Step], _ map: FeatureMap, level: Int) throws -> FeatureMap {
        var map = map
        for step in steps {
            guard !step.scalings.isEmpty else {
                map = try apply(step.layer, to: map)
                continue
            }
            map = try apply(step.layer, to: map, activates: false)
            map = try graph.scaling(map, step.scalings[level], at: "\(step.layer.path).norm")
            map = activated(map, at: step.layer.path)
        }
        return map
    }

    /// Proposals of regions (Ren and others, arXiv:1506.01497), as outputs `objectness0`, `deltas0`, `objectness1`, ….
    ///
    /// `StandardRPNHead` in Detectron2's `modeling/proposal_generator/rpn.py`.
    mutating func writeProposals(
        _ settings: Detectron2Configuration.Proposals,
        on levels: [Feature],
        anchorsPerCell: Int
    ) throws {
        let path = "proposal_generator.rpn_head"
        var channels = levels[0].map.channels
        var hidden: [Layer] = []
        for (index, stated) in settings.hiddenChannels.enumerated() {
            let outputs = stated == -1 ? channels : stated
            let name = settings.hiddenChannels.count == 1 ? "\(path).conv" : "\(path).conv.conv\(index)"
            hidden.append(try layer(name, inputs: channels, outputs: outputs, kernel: 3))
            channels = outputs
        }
        let objectness = try layer("\(path).objectness_logits", inputs: channels, outputs: anchorsPerCell, kernel: 1)
        let deltas = try layer("\(path).anchor_deltas", inputs: channels, outputs: 4 * anchorsPerCell, kernel: 1)
        for (index, level) in levels.enumerated() {
            let dimensions: [GraphBuilder.Dimension] = [.free("height\(index)"), .free("width\(index)")]
            var map = level.map
            for layer in hidden { map = try apply(layer, to: map) }
            let scores = try apply(objectness, to: map, activates: false)
            graph.output(scores.value, named: "objectness\(index)", [.batch, .fixed(scores.channels)] + dimensions)
            let boxes = try apply(deltas, to: map, activates: false)
            graph.output(boxes.value, named: "deltas\(index)", [.batch, .fixed(boxes.channels)] + dimensions)
        }
    }
}
