// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import Testing

@testable import NereidVision

/// Masks against those of the frameworks' own formulas, on pictures of 1, 2, 6 and 8 times the input; `made` in
/// Tests/Fixtures/masks.json says how the numbers were computed.
@Suite("Masks against the frameworks' formulas")
struct MaskGoldenTests {
    struct Golden: Decodable {
        struct Case: Decodable {
            var function: String
            var box: [Float]
            var picture: [Int]
            var counts: [UInt32]

            var size: PixelSize { PixelSize(width: picture[0], height: picture[1]) }
            var edges: Box { Box(x1: box[0], y1: box[1], x2: box[2], y2: box[3]) }
        }

        var input: [Int]
        var prototypeSize: [Int]
        var prototypes: [[Float]]
        var coefficients: [Float]
        var regionMask: [Float]
        var cases: [Case]
    }

    let golden: Golden

    init() throws {
        let file = Fixtures.repository.appendingPathComponent("Tests/Fixtures/masks.json")
        golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: file))
    }

    private func decoded(_ item: Golden.Case, _ rule: MaskRule) throws -> Mask {
        let input = PixelSize(width: golden.input[0], height: golden.input[1])
        let decoder = MaskDecoder(
            size: PixelSize(width: golden.prototypeSize[0], height: golden.prototypeSize[1]),
            count: golden.prototypes.count,
            rule: rule,
            letterbox: Letterbox(picture: item.size, target: input, fit: .square)
        )
        return try decoder.mask(golden.coefficients, golden.prototypes.flatMap(\.self).span, box: item.edges)
    }

    /// The pixels of a mask: columns from the left, down each.
    private func pixels(_ mask: Mask) -> [Bool] {
        var pixels = [Bool](repeating: false, count: mask.size.width * mask.size.height)
        for run in mask.insideRuns { for place in run { pixels[place] = true } }
        return pixels
    }

    private func cases(_ function: String) throws -> [(Golden.Case, Mask)] {
        let chosen = golden.cases.filter { $0.function == function }
        try #require(!chosen.isEmpty)
        return try chosen.map { ($0, try #require(Mask(size: $0.size, counts: $0.counts))) }
    }

    private func differing(_ one: Mask, _ other: Mask) -> Int {
        zip(pixels(one), pixels(other)).count { $0 != $1 }
    }

    @Test(
        "are those of Ultralytics, pixel by pixel",
        arguments: ["ultralytics.process_mask", "ultralytics.process_mask_native"]
    )
    func ultralytics(function: String) throws {
        for (item, expected) in try cases(function) {
            let found = try decoded(item, .enlargeLogits)
            // Single precision, added up in another order, may turn a pixel whose sum is 0 but for rounding. Where the
            // picture is padded, Ultralytics cuts the padding off before it interpolates and differs near the border.
            let isPadded = item.size.width * golden.input[1] != item.size.height * golden.input[0]
            let allowed = isPadded ? expected.area / 100 : expected.area / 5000 + 1
            #expect(differing(found, expected) <= allowed, "\(item.box) on \(item.picture)")
            let (own, other) = (found.extent, expected.extent)
            #expect(own == other, "\(item.box) on \(item.picture)")
        }
    }

    @Test(
        "enlarged from the input by OpenCV lie at the same place",
        arguments: [
            ("ultralytics.process_mask+scale_image", MaskRule.enlargeLogits),
            ("yolov5.process_mask+scale_image", MaskRule.sigmoidThenEnlarge),
        ]
    )
    func enlarged(function: String, rule: MaskRule) throws {
        for (item, expected) in try cases(function) {
            let found = try decoded(item, rule)
            // Enlarged, a border is a stair of the input's pixels, here a line through it: no edge is further off than one
            // step, and on the whole neither way.
            let step = max(
                1,
                Double(item.size.width) / Double(golden.input[0]),
                Double(item.size.height) / Double(golden.input[1])
            )
            let (own, other) = (found.extent, expected.extent)
            for (first, second) in zip(own, other) {
                #expect(abs(Double(first - second)) <= step, "\(item.box) on \(item.picture): \(own), not \(other)")
            }
            let union = Double(found.area + expected.area + differing(found, expected)) / 2
            #expect(1 - Double(differing(found, expected)) / union > 0.95, "\(item.box) on \(item.picture)")
            let (middle, wanted) = (found.middle, expected.middle)
            #expect(abs(middle.x - wanted.x) < step * 0.3, "\(item.box) on \(item.picture)")
            #expect(abs(middle.y - wanted.y) < step * 0.3, "\(item.box) on \(item.picture)")
        }
    }

    @Test("of regions are those of Detectron2, pixel by pixel")
    func detectron2() throws {
        let side = Int(Double(golden.regionMask.count).squareRoot())
        for (item, expected) in try cases("detectron2.paste_masks_in_image") {
            let found = try MaskPaster(picture: item.size).mask(golden.regionMask, side: side, box: item.edges)
            // As above: a value of one half but for rounding.
            #expect(differing(found, expected) <= expected.area / 5000 + 1, "\(item.box) on \(item.picture)")
            #expect(found.extent == expected.extent, "\(item.box) on \(item.picture)")
        }
    }
}

extension Mask {
    /// The first and the last column and row with a pixel inside.
    fileprivate var extent: [Int] {
        var extent = [Int.max, Int.min, Int.max, Int.min]
        forEachColumnRun { column, rows in
            extent = [
                min(extent[0], column), max(extent[1], column), min(extent[2], rows.lowerBound),
                max(extent[3], rows.upperBound - 1),
            ]
        }
        return extent
    }

    /// The mean of the places of the pixels inside.
    fileprivate var middle: (x: Double, y: Double) {
        var (x, y) = (0.0, 0.0)
        forEachColumnRun { column, rows in
            x += Double(column) * Double(rows.count)
            y += Double(rows.lowerBound + rows.upperBound - 1) / 2 * Double(rows.count)
        }
        return (x / Double(max(area, 1)), y / Double(max(area, 1)))
    }
}
