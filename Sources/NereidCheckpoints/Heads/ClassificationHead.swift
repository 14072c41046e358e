// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// `Classify` of both frameworks: a convolution, the mean over the picture, a linear layer, softmax.
///
/// Before release 6.2 of YOLOv5 the mean came first and the convolution took the place of the linear layer.
///
/// Source: `models/common.py` in YOLOv5; `ultralytics/nn/modules/head.py`.
struct ClassificationHead: NetworkHead {
    private let module: Module
    /// The linear layer, or the convolution that stands for it, over a map of one pixel.
    private let last: Convolution
    private let hasLinear: Bool
    private let metadata: [(key: String, value: String)]

    init(reading module: Module, model: Module, options: ConversionOptions) throws {
        guard options.head != .oneToOne else { throw ConversionError.headUnavailable(.oneToOne, path: module.path) }
        self.module = module
        hasLinear = module.hasChild("linear")
        last = try hasLinear ? Convolution(ofLinear: module.child("linear")) : Convolution(of: module.child("conv"))
        let isUltralytics = module.qualifiedName.hasPrefix("ultralytics.")
        metadata = [(GraphMetadata.preprocessing, isUltralytics ? "ultralytics" : "yolov5")]
    }

    func write(
        to network: inout NetworkTranslator,
        from maps: [FeatureMap],
        ending: GraphEnding
    ) throws -> HeadReading {
        let joined: FeatureMap
        let lastPath: String
        if hasLinear {
            let input = try network.graph.concatenation(maps, at: module.path)
            let features = try network.translate(module.child("conv"), input)
            joined = try network.translate(module.child("pool"), features)
            lastPath = try module.child("linear").path
        } else {
            let pool = try module.child("aap")
            let means = try maps.map { try network.translate(pool, $0) }
            joined = try network.graph.concatenation(means, at: module.path)
            lastPath = try module.child("conv").path
        }
        let logits = try network.graph.convolution(joined, last, at: lastPath)
        let flat = network.graph.add("Flatten", [logits.value], [.integer("axis", 1)], at: module.path)
        let probabilities = network.graph.softmax(flat, axis: 1, at: module.path)
        network.graph.output(probabilities, named: "probabilities", [.batch, .fixed(last.outputs)])
        return HeadReading(
            task: .classify,
            layout: .probabilities,
            classCount: last.outputs,
            needsSuppression: false,
            metadata: metadata
        )
    }
}
