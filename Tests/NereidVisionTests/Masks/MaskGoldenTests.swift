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
        let planes = golden.prototypes.flatMap(\.self)
        return try decoder.mask(golden.coefficients, planes.span, box: item.edges)
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

    /// Whether a picture does not have the input's proportions, so that there is padding.
    private func isPadded(_ item: Golden.Case) -> Bool {
        item.size.width * golden.input[1] != item.size.height * golden.input[0]
    }

    /// How many of the picture's pixels a pixel of the input has beside each other, at least 1.
    private func step(_ item: Golden.Case) -> Int {
        max(1, item.size.width / golden.input[0], item.size.height / golden.input[1])
    }

    @Test(
        "are those of Ultralytics, pixel by pixel",
        arguments: ["ultralytics.process_mask", "ultralytics.process_mask_native"]
    )
    func ultralytics(function: String) throws {
        for (item, expected) in try cases(function) {
            let found = try decoded(item, .enlargeLogits)
            if isPadded(item) {
                // Ultralytics takes the padding off before it interpolates: half a prototype's pixel, two pixels of the
                // input, differs along the picture's border.
                let border = 2 * step(item) + 1
                #expect(misplaced(found, expected, within: 0, besides: border) == 0, "\(item.box) on \(item.picture)")
            } else {
                // Single precision, added up in another order, may turn a pixel whose sum is 0 but for rounding.
                #expect(differing(found, expected) <= expected.area / 5000 + 1, "\(item.box) on \(item.picture)")
                #expect(found.extent == expected.extent, "\(item.box) on \(item.picture)")
            }
        }
    }

    @Test(
        "enlarged from the input by OpenCV lie at the same place, but for the stairs",
        arguments: [
            ("ultralytics.process_mask+scale_image", MaskRule.enlargeLogits),
            ("yolov5.process_mask+scale_image", MaskRule.sigmoidThenEnlarge),
        ]
    )
    func enlarged(function: String, rule: MaskRule) throws {
        for (item, expected) in try cases(function) {
            let found = try decoded(item, rule)
            // Enlarged, a border is a stair of the input's pixels, here a line through it: no pixel is further off than one
            // step and one pixel for rounding. Where the picture is padded, see above.
            let (step, border) = (step(item), isPadded(item) ? 2 * step(item) + 1 : 0)
            let place: Comment = "\(item.box) on \(item.picture)"
            // YOLOv5's crop is faded out in both directions: its corners are round here, and two pixels may stick out.
            let allowed = rule == .sigmoidThenEnlarge ? 2 : 0
            #expect(misplaced(found, expected, within: step + 1, besides: border) <= allowed, place)
            #expect(misplaced(expected, found, within: step + 1, besides: border) == 0, place)
            // A box of whole pixels of the input is cut at the same places by both.
            if rule == .enlargeLogits, !isPadded(item), item.box.allSatisfy({ $0 == $0.rounded() }) {
                #expect(found.extent == expected.extent, place)
            }
        }
    }

    /// How many pixels of a mask have none of another one near them: in a square of so many pixels to each side.
    ///
    /// - Parameter border: pixels along the picture's border that are not looked at.
    private func misplaced(_ one: Mask, _ other: Mask, within distance: Int, besides border: Int) -> Int {
        let (width, height) = (one.size.width, one.size.height)
        let (own, near) = (pixels(one), pixels(other))
        // The number of pixels inside above and to the left of each corner.
        var sums = [Int](repeating: 0, count: (width + 1) * (height + 1))
        for x in 0..<width {
            for y in 0..<height {
                let corner = (x + 1) * (height + 1) + y + 1
                sums[corner] =
                    sums[corner - 1] + sums[corner - height - 1] - sums[corner - height - 2]
                    + (near[x * height + y] ? 1 : 0)
            }
        }
        var count = 0
        for x in border..<max(border, width - border) {
            for y in border..<max(border, height - border) where own[x * height + y] {
                let (left, right) = (max(x - distance, 0), min(x + distance + 1, width))
                let (top, bottom) = (max(y - distance, 0), min(y + distance + 1, height))
                let inside =
                    sums[right * (height + 1) + bottom] - sums[left * (height + 1) + bottom]
                    - sums[right * (height + 1) + top] + sums[left * (height + 1) + top]
                if inside == 0 { count += 1 }
            }
        }
        return count
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
}
