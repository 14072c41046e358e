// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidInference

/// Which level of the pyramid a region is cut from: large ones from coarse maps.
///
/// `assign_boxes_to_levels` in Detectron2's `modeling/poolers.py`, equation 1 of “Feature Pyramid Networks”
/// (arXiv:1612.03144), in single precision.
struct RegionLevels: Sendable, Hashable {
    let strides: [Int]

    /// A region of so many pixels squared, the usual size of pictures in ImageNet, is cut from the level of stride 16.
    private static let canonicalSize: Float = 224
    private static let canonicalLevel: Float = 4

    /// The place of a region's level.
    func level(of box: Box) -> Int {
        guard let finest = strides.first, strides.count > 1 else { return 0 }
        let least = log2(Float(finest))
        let side = (box.width * box.height).squareRoot()
        let level = (Self.canonicalLevel + log2(side / Self.canonicalSize + 1e-8)).rounded(.down)
        // Not a number, where a box is none, goes to the finest level.
        let place = level - least
        return place > 0 ? Int(min(place, Float(strides.count - 1))) : 0
    }

    func sorted(_ regions: [(picture: Int, box: Box)]) -> SortedRegions {
        var places = [[Int]](repeating: [], count: strides.count)
        for (index, region) in regions.enumerated() { places[level(of: region.box)].append(index) }
        return SortedRegions(places: places, regions: regions)
    }
}

/// Regions by level.
struct SortedRegions: Sendable {
    /// For each level, which of the regions are its.
    let places: [[Int]]
    let regions: [(picture: Int, box: Box)]

    /// For each region, the row in which a stage answers it: levels come one after another.
    var rows: [Int] {
        var rows = [Int](repeating: 0, count: regions.count)
        for (row, place) in places.joined().enumerated() { rows[place] = row }
        return rows
    }

    /// The regions of a level as a stage takes them: `[n, 5]`.
    func tensor(_ level: Int) throws -> Tensor {
        let numbers = places[level].flatMap { place in
            let (picture, box) = regions[place]
            return [Float(picture), box.x1, box.y1, box.x2, box.y2]
        }
        return try Tensor(numbers, shape: [places[level].count, 5])
    }
}
