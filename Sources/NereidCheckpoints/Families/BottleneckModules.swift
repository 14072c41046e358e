// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Residual blocks.
///
/// Source: `models/common.py` in YOLOv5; `ultralytics/nn/modules/block.py`.
enum BottleneckModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "Bottleneck": .one(bottleneck),
        "RepBottleneck": .one(bottleneck),
        // A residual block whose whole path is one sequence.
        "CIB": .one { network, module, input in
            let output = try network.translate(module.child("cv1"), input)
            return try network.addingInput(input, to: output, if: module.flag("add"), at: module.path)
        },
    ]

    private static func bottleneck(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let narrowed = try network.translate(module.child("cv1"), input)
        let output = try network.translate(module.child("cv2"), narrowed)
        return try network.addingInput(input, to: output, if: module.flag("add"), at: module.path)
    }
}
