// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// How a framework makes a mask of the prototypes' weighted sum.
enum MaskRule: Sendable, Equatable {
    /// The sigmoid of the sum, cut to the box, enlarged; above one half is inside. `process_mask` in YOLOv5's
    /// `utils/segment/general.py`.
    case sigmoidThenEnlarge
    /// The sum itself, enlarged, then cut to the box; above zero is inside, and objects without a pixel inside are dropped.
    /// `process_mask_native` in Ultralytics' `utils/ops.py` and `construct_result` in its segmentation predictor; where the
    /// picture is the input, `process_mask` gives the same.
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

    /// The mask of one object.
    ///
    /// - Parameters:
    ///   - coefficients: one number for each prototype.
    ///   - prototypes: `count` planes of `size`.
    ///   - box: the object's box in pixels of the model's input.
    ///   - limit: when the work must stop; looked at for every column of the picture. Default: not before it has ended.
    /// - Throws: what the limit throws.
    func mask(
        _ coefficients: [Float],
        _ prototypes: Span<Float>,
        box: Box,
        limit: WorkLimit = .unlimited
    ) throws(ImagingError) -> Mask {
        var builder = MaskBuilder(size: letterbox.picture)
        let (across, down) = (
            axis(horizontal: true, from: box.x1, to: box.x2), axis(horizontal: false, from: box.y1, to: box.y2)
        )
        let (columns, rows) = (across.crop, down.crop)
        guard !columns.isEmpty, !rows.isEmpty, let lastRow = down.taps.last else { return builder.mask() }
        let sum = weightedSum(coefficients, prototypes, columns: columns, rows: rows)
        // One value above the crop, one below it, both outside.
        var line = [Float](repeating: 0, count: rows.count + 2)
        for tap in across.taps {
            try limit.check()
            for row in 0..<rows.count {
                let start = row * columns.count
                line[row + 1] =
                    tap.firstWeight * value(sum, start, tap.first, columns)
                    + tap.secondWeight * value(sum, start, tap.second, columns)
            }
            var runStart: Int?
            for row in down.taps {
                if isInside(line, row, rows) {
                    runStart = runStart ?? row.pixel
                } else if let start = runStart {
                    builder.add(column: tap.pixel, rows: start..<row.pixel)
                    runStart = nil
                }
            }
            if let start = runStart { builder.add(column: tap.pixel, rows: start..<lastRow.pixel + 1) }
        }
        return builder.mask()
    }

    private func value(_ sum: [Float], _ start: Int, _ column: Int, _ columns: Range<Int>) -> Float {
        columns.contains(column) ? sum[start + column - columns.lowerBound] : 0
    }

    /// Whether a pixel of a column is inside. What lies between two numbers on one side of the threshold is there too, and
    /// needs no arithmetic.
    private func isInside(_ line: [Float], _ tap: Tap, _ crop: Range<Int>) -> Bool {
        let first = line[min(max(tap.first - crop.lowerBound + 1, 0), crop.count + 1)]
        let second = line[min(max(tap.second - crop.lowerBound + 1, 0), crop.count + 1)]
        let threshold = rule.threshold
        if first > threshold, second > threshold { return true }
        if first <= threshold, second <= threshold { return false }
        return tap.firstWeight * first + tap.secondWeight * second > threshold
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

    /// What of one direction matters for a box.
    private struct Axis {
        /// The columns (or rows) of the prototypes that are looked at; those around them count as 0.
        var crop = 0..<0
        /// A tap for each of the picture's columns (or rows) that can be inside, one after another.
        var taps: [Tap] = []
    }

    /// The crop and the taps for a box's two edges, in pixels of the model's input.
    ///
    /// The position is that of PyTorch's `interpolate` with `mode="bilinear"` and `align_corners=False`.
    private func axis(horizontal: Bool, from: Float, to: Float) -> Axis {
        let (pixels, length, input) =
            horizontal
            ? (letterbox.picture.width, size.width, letterbox.input.width)
            : (letterbox.picture.height, size.height, letterbox.input.height)
        let scale = Float(length) / Float(input)
        func bounded(_ place: Float, _ limit: Int) -> Int { Int(min(max(place, 0), Float(limit))) }
        var axis = Axis()
        var reach = from...max(from, to)
        if rule == .sigmoidThenEnlarge {
            axis.crop =
                bounded((from * scale).rounded(.up), length)..<bounded((max(from, to) * scale).rounded(.up), length)
            // Enlarged, the crop reaches half a prototype's pixel further.
            reach = (Float(axis.crop.lowerBound) - 0.5) / scale...(Float(axis.crop.upperBound) + 0.5) / scale
            guard !axis.crop.isEmpty else { return axis }
        }
        func picture(_ place: Float) -> Float { horizontal ? letterbox.pictureX(place) : letterbox.pictureY(place) }
        let edges = (from: picture(from), to: picture(to))
        let first = bounded(picture(reach.lowerBound).rounded(.down), pixels)
        let last = bounded(picture(reach.upperBound).rounded(.up) + 1, pixels)
        axis.taps.reserveCapacity(max(last - first, 0))
        for pixel in first..<max(last, first) {
            // `crop_mask` compares the index of a pixel with the edges, both in the picture's own pixels.
            if rule == .enlargeLogits, Float(pixel) < edges.from || Float(pixel) >= edges.to { continue }
            let middle = horizontal ? letterbox.inputX(Float(pixel) + 0.5) : letterbox.inputY(Float(pixel) + 0.5)
            let position = min(max(middle * scale - 0.5, 0), Float(length - 1))
            let whole = Int(position)
            let part = position - Float(whole)
            axis.taps.append(
                Tap(
                    pixel: pixel,
                    first: whole,
                    second: min(whole + 1, length - 1),
                    firstWeight: 1 - part,
                    secondWeight: part
                )
            )
        }
        if rule == .enlargeLogits, let first = axis.taps.first, let last = axis.taps.last {
            axis.crop = first.first..<last.second + 1
        }
        return axis
    }
}
