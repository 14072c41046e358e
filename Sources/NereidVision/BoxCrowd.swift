// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Boxes that another box is compared with, eight at a time.
struct BoxCrowd {
    /// Eight boxes, edge by edge. Places not taken hold a box inside out, which nothing overlaps.
    private struct Block {
        var x1 = SIMD8<Float>(repeating: .infinity)
        var y1 = SIMD8<Float>(repeating: .infinity)
        var x2 = SIMD8<Float>(repeating: -.infinity)
        var y2 = SIMD8<Float>(repeating: -.infinity)
        var area = SIMD8<Float>.zero
    }

    private var blocks: [Block] = []
    private var count = 0

    /// Adds a box.
    mutating func append(_ box: Box) {
        let lane = count % 8
        if lane == 0 { blocks.append(Block()) }
        let last = blocks.count - 1
        blocks[last].x1[lane] = box.x1
        blocks[last].y1[lane] = box.y1
        blocks[last].x2[lane] = box.x2
        blocks[last].y2[lane] = box.y2
        blocks[last].area[lane] = box.area
        count += 1
    }

    /// Whether any of the boxes has a greater intersection over union with this one than `iou`.
    ///
    /// The arithmetic is that of ``Box/intersectionOverUnion(_:)``, to the last bit.
    func overlaps(_ box: Box, by iou: Float) -> Bool {
        let area = box.area
        return blocks.contains { block in
            let left = pointwiseMax(block.x1, SIMD8(repeating: box.x1))
            let top = pointwiseMax(block.y1, SIMD8(repeating: box.y1))
            let right = pointwiseMin(block.x2, SIMD8(repeating: box.x2))
            let bottom = pointwiseMin(block.y2, SIMD8(repeating: box.y2))
            let width = pointwiseMax(right - left, .zero)
            let height = pointwiseMax(bottom - top, .zero)
            let intersection = width * height
            // Two empty boxes give 0/0, and a comparison with that is false: they do not overlap.
            return any(intersection / (block.area + area - intersection) .> iou)
        }
    }
}
