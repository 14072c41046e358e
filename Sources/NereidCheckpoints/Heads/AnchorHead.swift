// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// YOLOv5's and YOLOv3's `Detect` and `Segment`: at each cell of each level a few anchors, each with box, objectness, classes
/// and, for `Segment`, mask coefficients.
///
/// A box is `(2σ(t) − 0.5 + cell) · stride` in its centre and `(2σ(t))² · anchor` in its size.
///
/// Source: `models/yolo.py` in YOLOv5, releases 3 to 7.
struct AnchorHead: NetworkHead {
    private let path: String
    /// For each level, a convolution of 1×1.
    private let convolutions: [(convolution: Convolution, path: String)]
    private let classCount: Int
    private let maskCount: Int
    private let strides: [Int]
    /// Width and height in pixels, by level and anchor.
    private let anchors: [[(width: Float, height: Float)]]
    private let prototypes: Module?

    private var anchorCount: Int { anchors[0].count }
    private var attributes: Int { 5 + classCount + maskCount }

    init(reading module: Module, model: Module, options: ConversionOptions) throws {
        guard options.head != .oneToOne else { throw ConversionError.headUnavailable(.oneToOne, path: module.path) }
        path = module.path
        let levels = try module.child("m").children
        guard HeadLimits.levels.contains(levels.count) else {
            throw module.inconsistent("it has \(levels.count) levels")
        }
        try module.confirm("nl", is: levels.count)
        convolutions = try levels.map { (try Convolution(of: $0), $0.path) }
        prototypes = try module.optionalChild("proto")
        maskCount = prototypes == nil ? 0 : try module.positive("nm")
        strides = try module.strides(count: levels.count, model: model)
        anchors = try Self.anchors(of: module, strides: strides)

        let (classCount, anchorCount) = (try module.positive("nc"), anchors[0].count)
        self.classCount = classCount
        try module.confirm("na", is: anchorCount)
        for (convolution, path) in convolutions {
            let perAnchor = convolution.outputs / anchorCount
            guard convolution.outputs % anchorCount == 0, perAnchor - 5 - maskCount == classCount else {
                throw ConversionError.inconsistent(
                    path: path,
                    reason: """
                        it has \(convolution.outputs) channels, which do not hold \(anchorCount) anchors with \
                        \(classCount) classes and \(maskCount) mask coefficients
                        """
                )
            }
        }
    }

    /// The anchors, which files keep divided by the stride.
    private static func anchors(
        of module: Module,
        strides: [Int]
    ) throws -> [[(width: Float, height: Float)]] {
        let tensor = try module.weights("anchors")
        guard tensor.shape.count == 3, tensor.shape[0] == strides.count, tensor.shape[2] == 2,
            HeadLimits.anchors.contains(tensor.shape[1])
        else {
            throw module.inconsistent("its anchors have the shape \(tensor.shape)")
        }
        let numbers = try tensor.elements()
        return try strides.enumerated().map { level, stride in
            try (0..<tensor.shape[1]).map { anchor in
                let position = 2 * (level * tensor.shape[1] + anchor)
                let (width, height) = (numbers[position] * Float(stride), numbers[position + 1] * Float(stride))
                guard width >= 0, height >= 0, width.isFinite, height.isFinite else {
                    throw module.inconsistent("an anchor of \(width)×\(height) pixels makes no sense")
                }
                return (width, height)
            }
        }
    }

    func write(
        to network: inout NetworkTranslator,
        from maps: [FeatureMap],
        ending: GraphEnding
    ) throws -> HeadReading {
        guard maps.count == convolutions.count else {
            throw ConversionError.inconsistent(
                path: path,
                reason: "it has \(convolutions.count) levels and is given \(maps.count) maps"
            )
        }
        var raw: [FeatureMap] = []
        for (map, level) in zip(maps, convolutions) {
            raw.append(try network.graph.convolution(map, level.convolution, at: level.path))
        }
        switch ending {
        case .maps:
            for (index, map) in raw.enumerated() {
                network.graph.output(map, named: "map\(index)", stride: strides[index])
            }
        case .decoded:
            decode(raw, in: &network.graph)
        }
        if let prototypes {
            let map = try network.prototypes(prototypes, from: maps[0])
            guard map.channels == maskCount else {
                throw ConversionError.inconsistent(
                    path: prototypes.path,
                    reason: "it gives \(map.channels) prototypes for \(maskCount) coefficients"
                )
            }
            let name = ending == .maps ? "prototypes" : "output1"
            network.graph.output(map, named: name, height: "prototype rows", width: "prototype columns")
        }
        return reading(ending: ending)
    }

    private func reading(ending: GraphEnding) -> HeadReading {
        let pairs = anchors.map { level in level.map { "[\($0.width),\($0.height)]" }.joined(separator: ",") }
        var reading = HeadReading(
            task: prototypes == nil ? .detect : .segment,
            layout: ending == .maps ? .anchorMaps : .decoded,
            classCount: classCount,
            strides: strides
        )
        reading.metadata.append((GraphMetadata.anchors, "[\(pairs.map { "[\($0)]" }.joined(separator: ","))]"))
        if prototypes != nil {
            reading.metadata.append((GraphMetadata.masks, String(maskCount)))
        }
        return reading
    }

    /// All levels' boxes in one output `[batch, anchors, attributes]`.
    private func decode(_ maps: [FeatureMap], in graph: inout GraphBuilder) {
        var levels: [GraphValue] = []
        for (index, map) in maps.enumerated() {
            let apart = graph.reshape(map.value, [0, anchorCount, attributes, -1], at: path)
            let rows = graph.transpose(apart, [0, 1, 3, 2], at: path)
            let parts = graph.split(
                rows,
                into: [2, 2, 1 + classCount] + (maskCount > 0 ? [maskCount] : []),
                axis: 3,
                at: path
            )
            let two = graph.real(2)

            let cells = graph.cells(of: map, offset: -0.5, at: path)
            let grid = graph.concatenation(
                [cells.x, cells.y].map { graph.unsqueeze($0, axis: 1, at: path) },
                axis: 1,
                at: path
            )
            let shifts = graph.product(graph.sigmoid(parts[0], at: path), two, at: path)
            let centres = graph.product(
                graph.sum(shifts, grid, at: path),
                graph.real(Float(strides[index])),
                at: path
            )
            let factors = graph.product(graph.sigmoid(parts[1], at: path), two, at: path)
            let sizes = graph.product(
                graph.product(factors, factors, at: path),
                graph.reals(anchors[index].flatMap { [$0.width, $0.height] }, shape: [1, anchorCount, 1, 2]),
                at: path
            )
            let scores = graph.sigmoid(parts[2], at: path)
            let whole = graph.concatenation([centres, sizes, scores] + parts.dropFirst(3), axis: 3, at: path)
            levels.append(graph.reshape(whole, [0, -1, attributes], at: path))
        }
        let output = graph.concatenation(levels, axis: 1, at: path)
        graph.output(output, named: "output0", [.batch, "anchors", .fixed(attributes)])
    }
}
