// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Masks' prototypes.
///
/// Source: `Proto` in YOLOv5's `models/common.py`; `Proto` and `Proto26` in `ultralytics/nn/modules/block.py`.
extension NetworkTranslator {
    /// The prototypes from a head's maps, finest first.
    mutating func prototypes(_ module: Module, from maps: [FeatureMap], strides: [Int]) throws -> FeatureMap {
        guard module.className == "Proto26" else {
            return try prototypes(module, from: maps[0])
        }
        let refinements = try module.child("feat_refine").children
        guard refinements.count == maps.count - 1 else {
            throw module.inconsistent("it refines \(refinements.count) of \(maps.count) maps")
        }
        var sum = maps[0]
        for (index, refinement) in refinements.enumerated() {
            let refined = try translate(refinement, maps[index + 1])
            let scale = Float(strides[index + 1]) / Float(strides[0])
            let enlarged = graph.nearestResize(refined, scale: (scale, scale), at: module.path)
            sum = try graph.sum(sum, enlarged, at: module.path)
        }
        return try prototypes(module, from: translate(module.child("feat_fuse"), sum))
    }

    /// `cv3(cv2(upsample(cv1(x))))`.
    mutating func prototypes(_ module: Module, from map: FeatureMap) throws -> FeatureMap {
        guard module.className.hasPrefix("Proto") else {
            throw ConversionError.unsupportedModule(className: module.qualifiedName, path: module.path)
        }
        let steps = try ["cv1", "upsample", "cv2", "cv3"].map { try module.child($0) }
        return try translate(sequence: steps, map)
    }
}
