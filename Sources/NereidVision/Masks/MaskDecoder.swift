// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// How a framework makes a mask of the prototypes' weighted sum.
enum MaskRule: Sendable, Equatable {
    /// The sigmoid of the sum, cut to the box, enlarged; above one half is inside. `process_mask` in YOLOv5's
    /// `utils/segment/general.py`.
    case sigmoidThenEnlarge
    /// The sum itself, cut to the box, enlarged; above zero is inside, and objects without a pixel inside are dropped.
    /// `process_mask` in Ultralytics' `utils/ops.py` and `construct_result` in its segmentation predictor.
    case enlargeLogits

    /// Values above this are inside.
    var threshold: Float { self == .sigmoidThenEnlarge ? 0.5 : 0 }
    /// Whether objects with an empty mask are no objects.
    var dropsEmptyMasks: Bool { self == .enlargeLogits }
}

/// Makes masks in a picture's own pixels from prototypes, of one picture of a batch.
///
/// The frameworks enlarge the sum to the network's input; here it is read off at the middle of each of the picture's
/// pixels, which is the same where the picture is the input, and without its stairs where it is larger. Of each object
/// only the part within its box is computed.
struct MaskDecoder {
    /// Width and height of a prototype.
    let size: PixelSize
    /// How many prototypes there are, and coefficients for each object.
    let count: Int
    let rule: MaskRule
    let letterbox: Letterbox
    /// Whether the box's edges are rounded before the cut. Ultralytics' `crop_mask` does so when a picture has fewer than
    /// 50 objects.
    let roundsBoxes: Bool

    init(size: PixelSize, count: Int, rule: MaskRule, letterbox: Letterbox, objects: Int) {
        self.size = size
        self.count = count
        self.rule = rule
        self.letterbox = letterbox
        roundsBoxes = rule == .enlargeLogits && objects < 50
    }

    /// The mask of one object.
    ///
    /// - Parameters:
    ///   - coefficients: one number for each prototype.
    ///   - prototypes: `count` planes of `size`.
    ///   - box: the object's box in pixels of the model's input.
    func mask(_ coefficients: [Float], _ prototypes: Span<Float>, box: Box) -> Mask {
        var builder = MaskBuilder(size: letterbox.picture)
        let (columns, rows) = crop(box)
        guard !columns.isEmpty, !rows.isEmpty else { return builder.mask() }
        let sum = weightedSum(coefficients, prototypes, columns: columns, rows: rows)
        let across = taps(horizontal: true, crop: columns)
        let down = taps(horizontal: false, crop: rows)
        let threshold = rule.threshold
        // One value above the crop, one below it, both outside.
        var line = [Float](repeating: 0, count: rows.count + 2)
        for tap in across {
            for row in rows.indices {
                let start = (row - rows.lowerBound) * columns.count
                line[row - rows.lowerBound + 1] =
                    tap.firstWeight * value(sum, start, tap.first, columns)
                    + tap.secondWeight * value(sum, start, tap.second, columns)
            }
            addRuns(of: line, crop: rows, down: down, above: threshold, column: tap.pixel, to: &builder)
        }
        return builder.mask()
    }

    private func value(_ sum: [Float], _ start: Int, _ column: Int, _ columns: Range<Int>) -> Float {
        columns.contains(column) ? sum[start + column - columns.lowerBound] : 0
    }

    /// Adds what of one of the picture's columns is inside. Neighbouring taps whose two values are on the same side of the
    /// threshold are not computed one by one: what lies between two numbers is on their side too.
    private func addRuns(
        of line: [Float],
        crop: Range<Int>,
        down: [Tap],
        above threshold: Float,
        column: Int,
        to builder: inout MaskBuilder
    ) {
        var runStart: Int?
        for tap in down {
            let first = line[min(max(tap.first - crop.lowerBound + 1, 0), crop.count + 1)]
            let second = line[min(max(tap.second - crop.lowerBound + 1, 0), crop.count + 1)]
            let isInside: Bool
            if first > threshold, second > threshold {
                isInside = true
            } else if first <= threshold, second <= threshold {
                isInside = false
            } else {
                isInside = tap.firstWeight * first + tap.secondWeight * second > threshold
            }
            if isInside {
                runStart = runStart ?? tap.pixel
            } else if let start = runStart {
                builder.add(column: column, rows: start..<tap.pixel)
                runStart = nil
            }
        }
        if let start = runStart, let last = down.last { builder.add(column: column, rows: start..<last.pixel + 1) }
    }

    /// The columns and rows of the prototypes that the box covers.
    private func crop(_ box: Box) -> (columns: Range<Int>, rows: Range<Int>) {
        let ratio = (
            x: Float(size.width) / Float(letterbox.input.width), y: Float(size.height) / Float(letterbox.input.height)
        )
        func range(_ from: Float, _ to: Float, _ length: Int) -> Range<Int> {
            let edges = [from, to].map { edge in
                let whole = roundsBoxes ? edge.rounded(.toNearestOrEven) : edge.rounded(.up)
                return Int(min(max(whole, 0), Float(length)))
            }
            return edges[0]..<max(edges[1], edges[0])
        }
        return (
            range(box.x1 * ratio.x, box.x2 * ratio.x, size.width),
            range(box.y1 * ratio.y, box.y2 * ratio.y, size.height)
        )
    }

    /// The prototypes' weighted sum within the crop, its sigmoid where the rule says so.
    private func weightedSum(
        _ coefficients: [Float],
        _ prototypes: Span<Float>,
        columns: Range<Int>,
        rows: Range<Int>
    ) -> [Float] {
        var sum = [Float](repeating: 0, count: columns.count * rows.count)
        let plane = size.width * size.height
        var target = sum.mutableSpan
        for (index, coefficient) in coefficients.prefix(count).enumerated() {
            for row in rows {
                let start = index * plane + row * size.width + columns.lowerBound
                let source = prototypes.extracting(start..<start + columns.count)
                let offset = (row - rows.lowerBound) * columns.count
                for column in 0..<columns.count { target[offset + column] += coefficient * source[column] }
            }
        }
        if rule == .sigmoidThenEnlarge {
            for index in 0..<target.count { target[index] = sigmoid(target[index]) }
        }
        return sum
    }

    /// Which two columns (or rows) of the prototypes a pixel of the picture is mixed from, and in what parts.
    struct Tap {
        let pixel: Int
        let first: Int
        let second: Int
        let firstWeight: Float
        let secondWeight: Float
    }

    /// A tap for each of the picture's columns (or rows) that the crop reaches, in order.
    ///
    /// The position is that of PyTorch's `interpolate` with `mode="bilinear"` and `align_corners=False`.
    private func taps(horizontal: Bool, crop: Range<Int>) -> [Tap] {
        let (pixels, length, input) =
            horizontal
            ? (letterbox.picture.width, size.width, letterbox.input.width)
            : (letterbox.picture.height, size.height, letterbox.input.height)
        let scale = Float(length) / Float(input)
        var taps: [Tap] = []
        for pixel in pixelRange(horizontal: horizontal, crop: crop, of: pixels, scale: scale) {
            let place = horizontal ? letterbox.inputX(Float(pixel) + 0.5) : letterbox.inputY(Float(pixel) + 0.5)
            let position = min(max(place * scale - 0.5, 0), Float(length - 1))
            let first = Int(position)
            let part = position - Float(first)
            taps.append(
                Tap(
                    pixel: pixel,
                    first: first,
                    second: min(first + 1, length - 1),
                    firstWeight: 1 - part,
                    secondWeight: part
                )
            )
        }
        return taps
    }

    /// The picture's columns (or rows) that can be inside: the crop and one prototype's pixel around it.
    private func pixelRange(horizontal: Bool, crop: Range<Int>, of pixels: Int, scale: Float) -> Range<Int> {
        func pixel(_ position: Int) -> Float {
            let place = (Float(position) + 0.5) / scale
            return horizontal ? letterbox.pictureX(place) : letterbox.pictureY(place)
        }
        let first = Int(min(max(pixel(crop.lowerBound - 1).rounded(.down), 0), Float(pixels)))
        let last = Int(min(max(pixel(crop.upperBound).rounded(.up) + 1, 0), Float(pixels)))
        return first..<max(last, first)
    }
}
