// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Resizes a picture row by row, keeping no more than two rows of it.
///
/// The pixels are those of OpenCV's `resize` with `INTER_LINEAR` on 8-bit pixels: bilinear without antialiasing, in
/// fixed point. Two sizes are exceptions there, and so here: equal sizes copy, and exactly half of each side averages
/// four pixels.
struct PictureResampler: RowResampler, ~Copyable {
    private enum Method {
        case copy
        case halve
        case bilinear(across: [BilinearAxis.Tap], down: [BilinearAxis.Tap])
    }

    /// A source row, already resized across: `target.width * 3` values of 15 bits.
    private struct Line {
        var row = -1
        var values: [Int16]
    }

    private let source: PixelSize
    /// Bytes from one source row to the next.
    private let stride: Int
    private let target: PixelSize
    private let method: Method
    private var upper: Line
    private var lower: Line

    /// - Parameter stride: Bytes from one source row to the next: more than three a pixel in a part of a picture.
    init(from source: PixelSize, stride: Int, to target: PixelSize) {
        self.source = source
        self.stride = stride
        self.target = target
        if source == target {
            method = .copy
        } else if source.width == target.width * 2, source.height == target.height * 2 {
            method = .halve
        } else {
            method = .bilinear(
                across: BilinearAxis(source: source.width, target: target.width, snapsToEdge: true).taps,
                down: BilinearAxis(source: source.height, target: target.height, snapsToEdge: false).taps
            )
        }
        let line = Line(values: [Int16](repeating: 0, count: target.width * 3))
        (upper, lower) = (line, line)
    }

    /// Computes row `y` of the target into `row`, which has `target.width * 3` bytes. Rows are asked for from the top.
    mutating func resample(
        _ pixels: UnsafeBufferPointer<UInt8>,
        row y: Int,
        into row: UnsafeMutableBufferPointer<UInt8>
    ) {
        switch method {
        case .copy:
            let start = y * stride
            _ = row.update(fromContentsOf: pixels[start..<start + row.count])
        case .halve:
            halve(pixels, row: y, into: row)
        case .bilinear(let across, let down):
            let tap = down[y]
            prepare(tap, across: across, pixels: pixels)
            mix(tap, into: row)
        }
    }

    private func halve(
        _ pixels: UnsafeBufferPointer<UInt8>,
        row y: Int,
        into row: UnsafeMutableBufferPointer<UInt8>
    ) {
        var from = y * 2 * stride
        for to in Swift.stride(from: 0, to: row.count, by: 3) {
            for channel in from..<from + 3 {
                let sum =
                    UInt16(pixels[channel]) + UInt16(pixels[channel + 3])
                    + UInt16(pixels[channel + stride]) + UInt16(pixels[channel + stride + 3])
                row[to + channel - from] = UInt8((sum + 2) >> 2)
            }
            from += 6
        }
    }

    /// Sees to it that `upper` and `lower` hold the two source rows of a tap, doing each source row only once.
    private mutating func prepare(
        _ tap: BilinearAxis.Tap,
        across: [BilinearAxis.Tap],
        pixels: UnsafeBufferPointer<UInt8>
    ) {
        if upper.row != tap.first, lower.row == tap.first {
            swap(&upper, &lower)
        }
        if upper.row != tap.first {
            Self.stretch(pixels, row: tap.first, stride: stride, across: across, into: &upper)
        }
        // A row without weight is not worth its work: shrinking by odd whole factors never needs the second.
        if lower.row != tap.second, tap.secondWeight != 0 {
            Self.stretch(pixels, row: tap.second, stride: stride, across: across, into: &lower)
        }
    }

    private static func stretch(
        _ pixels: UnsafeBufferPointer<UInt8>,
        row: Int,
        stride: Int,
        across: [BilinearAxis.Tap],
        into line: inout Line
    ) {
        line.row = row
        // The last row of a part of a picture ends before its stride does.
        let pixels = UnsafeBufferPointer(rebasing: pixels[row * stride..<min((row + 1) * stride, pixels.count)])
        line.values.withUnsafeMutableBufferPointer { values in
            across.withUnsafeBufferPointer { taps in
                var to = 0
                for tap in taps {
                    let (first, second) = (tap.first &* 3, tap.second &* 3)
                    let (firstWeight, secondWeight) = (Int32(tap.firstWeight), Int32(tap.secondWeight))
                    for channel in 0..<3 {
                        let sum =
                            Int32(pixels[first &+ channel]) &* firstWeight
                            &+ Int32(pixels[second &+ channel]) &* secondWeight
                        // Four bits less, so that it fits 16 and the rest runs in wide registers.
                        values[to &+ channel] = Int16(truncatingIfNeeded: sum &>> 4)
                    }
                    to &+= 3
                }
            }
        }
    }

    private func mix(_ tap: BilinearAxis.Tap, into row: UnsafeMutableBufferPointer<UInt8>) {
        let (firstWeight, secondWeight) = (Int32(tap.firstWeight), Int32(tap.secondWeight))
        upper.values.withUnsafeBufferPointer { upper in
            lower.values.withUnsafeBufferPointer { lower in
                for index in 0..<row.count {
                    let sum =
                        (Int32(upper[index]) &* firstWeight) &>> 16
                        &+ (Int32(lower[index]) &* secondWeight) &>> 16
                    row[index] = UInt8(truncatingIfNeeded: (sum &+ 2) &>> 2)
                }
            }
        }
    }
}
