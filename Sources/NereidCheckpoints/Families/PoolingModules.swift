// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Pooling, alone and in pyramids.
///
/// Source: `torch.nn.modules.pooling`; `models/common.py` in YOLOv5; `ultralytics/nn/modules/block.py`.
enum PoolingModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "MaxPool2d": .one { network, module, input in
            network.graph.maximumPool(input, try PoolingWindow(of: module), at: module.path)
        },
        "AvgPool2d": .one { network, module, input in
            guard module.isMissing("divisor_override") else {
                throw ConversionError.unsupportedSetting(path: module.path, reason: "it has a divisor of its own")
            }
            let window = try PoolingWindow(of: module)
            let countsPadding = try module.flag("count_include_pad", default: true)
            return network.graph.averagePool(input, window, countsPadding: countsPadding, at: module.path)
        },
        "AdaptiveAvgPool2d": .one { network, module, input in
            guard try module.pair("output_size") == (1, 1) else {
                throw ConversionError.unsupportedSetting(path: module.path, reason: "its output is not of one pixel")
            }
            return network.graph.globalAveragePool(input, at: module.path)
        },
        "SPP": .one { network, module, input in
            let narrowed = try network.translate(module.child("cv1"), input)
            let pooled = try module.child("m").children.map { try network.translate($0, narrowed) }
            let joined = try network.graph.concatenation([narrowed] + pooled, at: module.path)
            return try network.translate(module.child("cv2"), joined)
        },
        "SPPF": .one { network, module, input in
            var maps = [try network.translate(module.child("cv1"), input)]
            let pool = try module.child("m")
            let count = try module.integer("n", default: 3)
            guard (1...16).contains(count) else { throw module.inconsistent("it pools \(count) times") }
            for _ in 0..<count {
                maps.append(try network.translate(pool, maps[maps.count - 1]))
            }
            let joined = try network.graph.concatenation(maps, at: module.path)
            let output = try network.translate(module.child("cv2"), joined)
            return try network.addingInput(input, to: output, if: module.flag("add", default: false), at: module.path)
        },
        "SPPELAN": .one { network, module, input in
            var maps = [try network.translate(module.child("cv1"), input)]
            for name in ["cv2", "cv3", "cv4"] {
                maps.append(try network.translate(module.child(name), maps[maps.count - 1]))
            }
            let joined = try network.graph.concatenation(maps, at: module.path)
            return try network.translate(module.child("cv5"), joined)
        },
        "AConv": .one { network, module, input in
            let pooled = network.meanOfNeighbours(input, at: module.path)
            return try network.translate(module.child("cv1"), pooled)
        },
        "ADown": .one { network, module, input in
            let pooled = network.meanOfNeighbours(input, at: module.path)
            let (first, second) = try network.graph.halves(pooled, at: module.path)
            let convolved = try network.translate(module.child("cv1"), first)
            var window = PoolingWindow(size: Convolution.Extent(3), stride: Convolution.Extent(2))
            window.padding = Convolution.Padding(Convolution.Extent(1))
            let maximum = network.graph.maximumPool(second, window, at: module.path)
            let projected = try network.translate(module.child("cv2"), maximum)
            return try network.graph.concatenation([convolved, projected], at: module.path)
        },
    ]
}

extension NetworkTranslator {
    /// The mean over windows of 2×2 that move by one pixel.
    fileprivate mutating func meanOfNeighbours(_ input: FeatureMap, at path: String) -> FeatureMap {
        let window = PoolingWindow(size: Convolution.Extent(2), stride: Convolution.Extent(1))
        return graph.averagePool(input, window, countsPadding: true, at: path)
    }
}

extension PoolingWindow {
    fileprivate init(of module: Module) throws {
        let size = try module.pair("kernel_size")
        // PyTorch's stride is the window's size unless it is given.
        let stride = module.isMissing("stride") ? size : try module.pair("stride")
        let padding = try module.pair("padding", default: (0, 0))
        let dilation = try module.pair("dilation", default: (1, 1))
        let allowed = 1...1 << 12
        guard [size.0, size.1, stride.0, stride.1, dilation.0, dilation.1].allSatisfy(allowed.contains),
            (0...size.0 / 2).contains(padding.0), (0...size.1 / 2).contains(padding.1)
        else {
            throw module.inconsistent(
                "its window \(size), stride \(stride), padding \(padding) or dilation makes no sense"
            )
        }
        self.init(
            size: Convolution.Extent(height: size.0, width: size.1),
            stride: Convolution.Extent(height: stride.0, width: stride.1),
            padding: Convolution.Padding(Convolution.Extent(height: padding.0, width: padding.1)),
            dilation: Convolution.Extent(height: dilation.0, width: dilation.1),
            roundsUp: try module.flag("ceil_mode", default: false)
        )
    }
}
