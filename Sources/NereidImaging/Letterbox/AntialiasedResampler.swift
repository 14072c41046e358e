// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Resizes a picture row by row as Pillow's `resize` with `BILINEAR` does: the filter is as wide as a target pixel, so that
/// every source pixel counts when the picture shrinks.
///
/// First across, then down, rounded to 8 bits in between, the weights in fixed point of 22 bits: `ImagingResample` in
/// Pillow's `src/libImaging/Resample.c`. A side that keeps its length is not touched.
struct AntialiasedResampler: RowResampler, ~Copyable {
    private let stride: Int
    private let across: AntialiasedAxis?
    private let down: AntialiasedAxis?
    private let rowLength: Int
    /// Source rows already resized across: row `y` in the place `y % capacity`.
    private var lines: [UInt8]
    private let capacity: Int
    /// The first source row that has not been resized across yet.
    private var nextLine = 0

    /// - Parameter stride: Bytes from one source row to the next: more than three a pixel in a part of a picture.
    init(from source: PixelSize, stride: Int, to target: PixelSize) {
        self.stride = stride
        across = source.width == target.width ? nil : AntialiasedAxis(source: source.width, target: target.width)
        down = source.height == target.height ? nil : AntialiasedAxis(source: source.height, target: target.height)
        rowLength = target.width * 3
        capacity = down?.mostTaps ?? 1
        lines = [UInt8](repeating: 0, count: capacity * rowLength)
    }

    mutating func resample(
        _ pixels: UnsafeBufferPointer<UInt8>,
        row y: Int,
        into row: UnsafeMutableBufferPointer<UInt8>
    ) {
        guard let down else {
            stretch(pixels, row: y, into: row)
            return
        }
        let tap = down.taps[y]
        prepare(tap.first..<tap.first + tap.count, pixels)
        lines.withUnsafeBufferPointer { lines in
            down.weights.withUnsafeBufferPointer { weights in
                for index in 0..<row.count {
                    var sum = AntialiasedAxis.half
                    for step in 0..<tap.count {
                        let line = (tap.first &+ step) % capacity
                        sum &+= Int32(lines[line &* rowLength &+ index]) &* weights[tap.start &+ step]
                    }
                    row[index] = AntialiasedAxis.byte(sum)
                }
            }
        }
    }

    /// Sees to it that these source rows are there, resized across.
    private mutating func prepare(_ rows: Range<Int>, _ pixels: UnsafeBufferPointer<UInt8>) {
        // Rows before the first one needed are never asked for again.
        for row in max(nextLine, rows.lowerBound)..<max(rows.upperBound, nextLine, rows.lowerBound) {
            let place = row % capacity * rowLength
            var lines = consumeLines()
            lines.withUnsafeMutableBufferPointer { lines in
                stretch(pixels, row: row, into: UnsafeMutableBufferPointer(rebasing: lines[place..<place + rowLength]))
            }
            self.lines = lines
            nextLine = row + 1
        }
    }

    /// Takes the lines out, so that they can be written while the rest is read, without a copy.
    private mutating func consumeLines() -> [UInt8] {
        let taken = lines
        lines = []
        return taken
    }

    /// Resizes one source row across.
    private func stretch(
        _ pixels: UnsafeBufferPointer<UInt8>,
        row: Int,
        into line: UnsafeMutableBufferPointer<UInt8>
    ) {
        let start = row * stride
        guard let across else {
            _ = line.update(fromContentsOf: pixels[start..<start + line.count])
            return
        }
        across.weights.withUnsafeBufferPointer { weights in
            var to = 0
            for tap in across.taps {
                var (red, green, blue) = (AntialiasedAxis.half, AntialiasedAxis.half, AntialiasedAxis.half)
                var from = start &+ tap.first &* 3
                for step in 0..<tap.count {
                    let weight = weights[tap.start &+ step]
                    red &+= Int32(pixels[from]) &* weight
                    green &+= Int32(pixels[from &+ 1]) &* weight
                    blue &+= Int32(pixels[from &+ 2]) &* weight
                    from &+= 3
                }
                line[to] = AntialiasedAxis.byte(red)
                line[to &+ 1] = AntialiasedAxis.byte(green)
                line[to &+ 2] = AntialiasedAxis.byte(blue)
                to &+= 3
            }
        }
    }
}

/// For one axis, which source pixels each target pixel is mixed from, and in what parts.
///
/// The arithmetic is that of `precompute_coeffs` and `normalize_coeffs_8bpc` in Pillow's `src/libImaging/Resample.c`, with
/// its bilinear filter, a triangle.
struct AntialiasedAxis {
    /// One target pixel: `count` source pixels from `first` on, whose weights begin at `start`.
    struct Tap {
        var first: Int
        var count: Int
        var start: Int
    }

    /// A weight of 1: with 8 bits of a pixel and a bit to spare, what 32 bits hold.
    private static let one = Double(1 << 22)
    /// What a sum begins with, so that it is rounded when it is cut off.
    static let half: Int32 = 1 << 21

    let taps: [Tap]
    /// In 2²² parts.
    let weights: [Int32]
    /// The most source pixels of one target pixel.
    let mostTaps: Int

    init(source: Int, target: Int) {
        let scale = Double(source) / Double(target)
        let width = max(scale, 1)
        var taps: [Tap] = []
        var weights: [Int32] = []
        for index in 0..<target {
            let centre = (Double(index) + 0.5) * scale
            let first = max(Int(centre - width + 0.5), 0)
            let end = min(Int(centre + width + 0.5), source)
            let parts = (first..<max(end, first)).map { pixel in
                max(1 - abs((Double(pixel) - centre + 0.5) / width), 0)
            }
            let sum = parts.reduce(0, +)
            taps.append(Tap(first: first, count: parts.count, start: weights.count))
            weights += parts.map { part in Int32((part / (sum == 0 ? 1 : sum) * Self.one + 0.5).rounded(.down)) }
        }
        (self.taps, self.weights) = (taps, weights)
        mostTaps = taps.map(\.count).max() ?? 1
    }

    /// A sum of weighted pixels as a pixel.
    @inline(__always)
    static func byte(_ sum: Int32) -> UInt8 { UInt8(clamping: sum &>> 22) }
}
