// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What changes a map's size without weights.
///
/// Source: `torch.nn.modules.upsampling` and `padding`; `Contract` and `Expand` in YOLOv5's `models/common.py`.
enum ResamplingModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "Upsample": .one(upsample),
        "UpsamplingNearest2d": .one(upsample),
        "UpsamplingBilinear2d": .one(upsample),
        "ZeroPad2d": .one(pad),
        "ConstantPad2d": .one(pad),
        "Contract": .one { network, module, input in
            let gain = try blockSize(of: module)
            let (channels, overflows) = input.channels.multipliedReportingOverflow(by: gain * gain)
            guard !overflows else { throw module.inconsistent("it makes too many channels") }
            return FeatureMap(
                value: network.graph.add("SpaceToDepth", [input.value], [.integer("blocksize", gain)], at: module.path),
                channels: channels
            )
        },
        "Expand": .one { network, module, input in
            let gain = try blockSize(of: module)
            guard input.channels % (gain * gain) == 0 else {
                throw module.inconsistent("\(input.channels) channels can't be spread over blocks of \(gain)×\(gain)")
            }
            return FeatureMap(
                value: network.graph.add(
                    "DepthToSpace",
                    [input.value],
                    [.integer("blocksize", gain), .text("mode", "DCR")],
                    at: module.path
                ),
                channels: input.channels / (gain * gain)
            )
        },
    ]

    private static func blockSize(of module: Module) throws -> Int {
        let gain = try module.integer("gain")
        guard (1...64).contains(gain) else { throw module.inconsistent("its gain is \(gain)") }
        return gain
    }

    private static func upsample(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        guard module.isMissing("size") else {
            throw ConversionError.unsupportedSetting(
                path: module.path,
                reason: "it enlarges to a fixed size, so that the network would take pictures of one size only"
            )
        }
        let factors = try module.realPair("scale_factor")
        guard [factors.0, factors.1].allSatisfy({ $0 > 0 && $0 <= 64 }) else {
            throw module.inconsistent("it enlarges \(factors) times")
        }
        let scale = (height: Float(factors.0), width: Float(factors.1))
        switch try module.text("mode", default: "nearest") {
        case "nearest":
            return network.graph.nearestResize(input, scale: scale, at: module.path)
        case "bilinear":
            let alignsCorners = try module.flag("align_corners", default: false)
            return network.graph.bilinearResize(input, scale: scale, alignsCorners: alignsCorners, at: module.path)
        case let mode:
            throw ConversionError.unsupportedSetting(
                path: module.path,
                reason: "it enlarges by the method \(Excerpt(mode))"
            )
        }
    }

    private static func pad(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let widths = try module.integers("padding")
        guard widths.count == 4, widths.allSatisfy({ (0...1 << 12).contains($0) }) else {
            throw module.inconsistent("it pads by \(widths)")
        }
        let padding = Convolution.Padding(left: widths[0], right: widths[1], top: widths[2], bottom: widths[3])
        let value = Float(try module.number("value", default: 0))
        return network.graph.padding(input, padding, value: value, at: module.path)
    }
}
