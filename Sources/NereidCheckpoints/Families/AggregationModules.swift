// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Efficient layer aggregation: YOLOv9's blocks.
///
/// Source: `ultralytics/nn/modules/block.py`.
enum AggregationModules: ModuleFamily {
    static let translations: [String: ModuleTranslation] = [
        "RepNCSPELAN4": .one(aggregation),
        "ELAN1": .one(aggregation),
    ]

    /// `cv4` over both halves of `cv1(x)`, `cv2` of the second half, and `cv3` of that.
    private static func aggregation(
        _ network: inout NetworkTranslator,
        _ module: Module,
        _ input: FeatureMap
    ) throws -> FeatureMap {
        let (first, second) = try network.halves(ofFirstConvolutionOf: module, input)
        let third = try network.translate(module.child("cv2"), second)
        let fourth = try network.translate(module.child("cv3"), third)
        let joined = try network.graph.concatenation([first, second, third, fourth], at: module.path)
        return try network.translate(module.child("cv4"), joined)
    }
}
