// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Cross stage partial blocks: part of the channels goes through residual blocks, the rest passes by.
///
/// Source: `models/common.py` in YOLOv5; `ultralytics/nn/modules/block.py`.
enum CrossStageModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "BottleneckCSP": .one(partial),
        "C3": .one(threeConvolutions),
        "C3TR": .one(threeConvolutions),
        "C3Ghost": .one(threeConvolutions),
        "C3SPP": .one(threeConvolutions),
        "C3x": .one(threeConvolutions),
        "C3k": .one(threeConvolutions),
        "RepCSP": .one(threeConvolutions),
        "RepC3": .one { network, module, input in
            let through = try network.translate(module.child("m"), network.translate(module.child("cv1"), input))
            let past = try network.translate(module.child("cv2"), input)
            return try network.translate(module.child("cv3"), network.graph.sum(through, past, at: module.path))
        },
        "C1": .one { network, module, input in
            let narrowed = try network.translate(module.child("cv1"), input)
            let through = try network.translate(module.child("m"), narrowed)
            return try network.graph.sum(through, narrowed, at: module.path)
        },
        "C2": .one { network, module, input in
            let (first, second) = try network.halves(ofFirstConvolutionOf: module, input)
            let through = try network.translate(module.child("m"), first)
            let joined = try network.graph.concatenation([through, second], at: module.path)
            return try network.translate(module.child("cv2"), joined)
        },
        "C2PSA": .one { network, module, input in
            let (first, second) = try network.halves(ofFirstConvolutionOf: module, input)
            let through = try network.translate(module.child("m"), second)
            let joined = try network.graph.concatenation([first, through], at: module.path)
            return try network.translate(module.child("cv2"), joined)
        },
        "C2f": .one(everyStage),
        "C3k2": .one(everyStage),
        "C2fCIB": .one(everyStage),
        "C2fPSA": .one(everyStage),
    ]

    /// `cv3([m(cv1(x)), cv2(x)])`.
    private static func threeConvolutions(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let narrowed = try network.translate(module.child("cv1"), input)
        let through = try network.translate(module.child("m"), narrowed)
        let past = try network.translate(module.child("cv2"), input)
        let joined = try network.graph.concatenation([through, past], at: module.path)
        return try network.translate(module.child("cv3"), joined)
    }

    /// `cv4(act(bn([cv3(m(cv1(x))), cv2(x)])))`. The normalisation goes into the two convolutions before it.
    private static func partial(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let (through, past) = (try module.child("cv3"), try module.child("cv2"))
        let (throughConvolution, pastConvolution) = (try Convolution(of: through), try Convolution(of: past))
        let (middle, end) = (throughConvolution.outputs, throughConvolution.outputs + pastConvolution.outputs)
        let scaling = try ChannelScaling(of: module.child("bn"), channels: end)

        let narrowed = try network.translate(module.child("cv1"), input)
        let stages = try network.translate(module.child("m"), narrowed)
        let maps = [
            try network.graph.convolution(
                stages,
                throughConvolution.followed(by: scaling[0..<middle]),
                at: through.path
            ),
            try network.graph.convolution(input, pastConvolution.followed(by: scaling[middle..<end]), at: past.path),
        ]
        let joined = try network.graph.concatenation(maps, at: module.path)
        let activated = try network.translate(module.child("act"), joined)
        return try network.translate(module.child("cv4"), activated)
    }

    /// `cv2` over both halves of `cv1(x)` and what each stage gives, one after another, from the second half.
    private static func everyStage(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let (first, second) = try network.halves(ofFirstConvolutionOf: module, input)
        var maps = [first, second]
        for stage in try module.child("m").children {
            maps.append(try network.translate(stage, maps[maps.count - 1]))
        }
        let joined = try network.graph.concatenation(maps, at: module.path)
        return try network.translate(module.child("cv2"), joined)
    }
}

extension NetworkTranslator {
    mutating func halves(
        ofFirstConvolutionOf module: Module,
        _ input: FeatureMap
    ) throws -> (FeatureMap, FeatureMap) {
        let map = try translate(module.child("cv1"), input)
        return try graph.halves(map, at: module.path)
    }
}
