// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Resizes a picture row by row as OpenCV's `resize` with `INTER_LINEAR` does on 32-bit floating-point pixels: the same
/// places as on 8-bit ones, weights in single precision, results not rounded (modules/imgproc/src/resize.cpp).
///
/// Two sizes are exceptions there, and so here: equal sizes copy, and exactly half of each side averages four pixels.
struct PreciseResampler: RowResampler, ~Copyable {
    private let source: PixelSize
    private let target: PixelSize
    private let stride: Int
    private let across: [Tap]
    private let down: [Tap]
    private let halves: Bool
    /// Two source rows already resized across, and which they are.
    private var upper: [Float]
    private var lower: [Float]
    private var rows = (upper: -1, lower: -1)

    /// One target pixel: source pixels `first` and `second`, and the part of each.
    private struct Tap {
        var first: Int
        var second: Int
        var firstWeight: Float
        var secondWeight: Float
    }

    /// - Parameter stride: Bytes from one source row to the next: more than three a pixel in a part of a picture.
    init(from source: PixelSize, stride: Int, to target: PixelSize) {
        (self.source, self.target, self.stride) = (source, target, stride)
        halves = source.width == target.width * 2 && source.height == target.height * 2
        across = Self.taps(source: source.width, target: target.width)
        down = Self.taps(source: source.height, target: target.height)
        upper = [Float](repeating: 0, count: target.width * 3)
        lower = upper
    }

    private static func taps(source: Int, target: Int) -> [Tap] {
        // By way of the reciprocal, as OpenCV does.
        let scale = 1 / (Double(target) / Double(source))
        return (0..<target).map { index in
            let position = Float((Double(index) + 0.5) * scale - 0.5)
            var first = Int(position.rounded(.down))
            var part = position - Float(first)
            if first < 0 { (first, part) = (0, 0) }
            if first >= source - 1 { (first, part) = (source - 1, 0) }
            return Tap(first: first, second: min(first + 1, source - 1), firstWeight: 1 - part, secondWeight: part)
        }
    }

    mutating func resample(
        _ pixels: UnsafeBufferPointer<UInt8>,
        row y: Int,
        into row: UnsafeMutableBufferPointer<Float>
    ) {
        if source == target {
            for index in 0..<row.count { row[index] = Float(pixels[y &* stride &+ index]) }
        } else if halves {
            halve(pixels, row: y, into: row)
        } else {
            let tap = down[y]
            prepare(tap, pixels)
            upper.withUnsafeBufferPointer { upper in
                lower.withUnsafeBufferPointer { lower in
                    for index in 0..<row.count {
                        row[index] = upper[index] * tap.firstWeight + lower[index] * tap.secondWeight
                    }
                }
            }
        }
    }

    private func halve(
        _ pixels: UnsafeBufferPointer<UInt8>,
        row y: Int,
        into row: UnsafeMutableBufferPointer<Float>
    ) {
        for to in Swift.stride(from: 0, to: row.count, by: 3) {
            for channel in 0..<3 {
                let from = y &* 2 &* stride &+ to &* 2 &+ channel
                let sum =
                    Int32(pixels[from]) &+ Int32(pixels[from &+ 3])
                    &+ Int32(pixels[from &+ stride]) &+ Int32(pixels[from &+ stride &+ 3])
                row[to &+ channel] = Float(sum) / 4
            }
        }
    }

    /// Sees to it that `upper` and `lower` hold the two source rows of a tap, doing each source row only once.
    private mutating func prepare(_ tap: Tap, _ pixels: UnsafeBufferPointer<UInt8>) {
        if rows.upper != tap.first, rows.lower == tap.first {
            swap(&upper, &lower)
            (rows.upper, rows.lower) = (rows.lower, rows.upper)
        }
        if rows.upper != tap.first {
            Self.stretch(pixels, start: tap.first * stride, across, into: &upper)
            rows.upper = tap.first
        }
        if rows.lower != tap.second {
            Self.stretch(pixels, start: tap.second * stride, across, into: &lower)
            rows.lower = tap.second
        }
    }

    private static func stretch(
        _ pixels: UnsafeBufferPointer<UInt8>,
        start: Int,
        _ across: [Tap],
        into line: inout [Float]
    ) {
        line.withUnsafeMutableBufferPointer { line in
            var to = 0
            for tap in across {
                let (first, second) = (start &+ tap.first &* 3, start &+ tap.second &* 3)
                for channel in 0..<3 {
                    line[to &+ channel] =
                        Float(pixels[first &+ channel]) * tap.firstWeight
                        + Float(pixels[second &+ channel]) * tap.secondWeight
                }
                to &+= 3
            }
        }
    }
}
