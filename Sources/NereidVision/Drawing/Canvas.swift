// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// Pixels that can be drawn on.
struct Canvas {
    private let width: Int
    private let height: Int
    private var pixels: [UInt8]

    init(_ picture: Picture) {
        width = picture.width
        height = picture.height
        pixels = picture.withPixels { span in
            [UInt8](unsafeUninitializedCapacity: span.count) { buffer, count in
                span.withUnsafeBufferPointer { _ = buffer.initialize(from: $0) }
                count = span.count
            }
        }
    }

    /// What has been drawn.
    func picture() throws -> Picture {
        try Picture(width: width, height: height, pixels: pixels)
    }

    /// A frame whose outer edge is the box.
    mutating func frame(_ box: Box, thickness: Int, colour: Colour) {
        let left = Int(box.x1.rounded())
        let top = Int(box.y1.rounded())
        let right = max(Int(box.x2.rounded()), left + 1)
        let bottom = max(Int(box.y2.rounded()), top + 1)
        fill(x: left..<right, y: top..<min(top + thickness, bottom), colour)
        fill(x: left..<right, y: max(bottom - thickness, top)..<bottom, colour)
        fill(x: left..<min(left + thickness, right), y: top..<bottom, colour)
        fill(x: max(right - thickness, left)..<right, y: top..<bottom, colour)
    }

    /// A label on a plate of the colour: above the box, or inside it where there is no room above.
    ///
    /// - Parameter isBelow: whether it stands under the box's upper edge, even where there is room above.
    mutating func tag(_ text: TextMask, above box: Box, padding: Int, colour: Colour, isBelow: Bool = false) {
        let plate = (width: text.width + 2 * padding, height: text.height + padding)
        let left = max(0, min(Int(box.x1.rounded()), width - plate.width))
        let above = Int(box.y1.rounded()) - plate.height
        let top = above >= 0 && !isBelow ? above : max(0, min(Int(box.y1.rounded()), height - plate.height))
        fill(x: left..<left + plate.width, y: top..<top + plate.height, colour)
        let ink = colour.ink
        for row in 0..<text.height {
            for column in 0..<text.width {
                let coverage = text.coverage[row * text.width + column]
                if coverage > 0 { blend(x: left + padding + column, y: top + padding / 2 + row, ink, coverage) }
            }
        }
    }

    /// Lays a colour over the pixels of a mask, so that they are still to be seen through it.
    mutating func tint(_ mask: Mask, _ colour: Colour, _ limit: WorkLimit = .unlimited) throws(ImagingError) {
        try mask.forEachColumnRun { column, rows throws(ImagingError) in
            try limit.check()
            for row in rows { blend(x: column, y: row, colour, 115) }
        }
    }

    /// The closed way through some points. Points outside the picture are as good as others.
    mutating func outline(_ points: [Point], thickness: Int, colour: Colour) {
        for (index, point) in points.enumerated() {
            line(from: point, to: points[(index + 1) % points.count], thickness: thickness, colour: colour)
        }
    }

    /// A filled circle with a dark rim, to be told from what is behind it.
    mutating func dot(_ centre: Point, radius: Int, colour: Colour) {
        let (x, y) = (Int(centre.x), Int(centre.y))
        let rim = max(radius / 4, 1)
        for row in (y - radius - rim..<y + radius + rim + 1).clamped(to: 0..<height) {
            for column in (x - radius - rim..<x + radius + rim + 1).clamped(to: 0..<width) {
                let distance = (row - y) * (row - y) + (column - x) * (column - x)
                if distance <= radius * radius {
                    fill(x: column..<column + 1, y: row..<row + 1, colour)
                } else if distance <= (radius + rim) * (radius + rim) {
                    fill(x: column..<column + 1, y: row..<row + 1, Colour(red: 0, green: 0, blue: 0))
                }
            }
        }
    }

    private mutating func line(from start: Point, to end: Point, thickness: Int, colour: Colour) {
        guard let (first, last) = visiblePart(from: start, to: end, margin: Float(thickness)) else { return }
        let steps = Int(max(abs(last.x - first.x), abs(last.y - first.y)).rounded(.up))
        for step in 0...steps {
            let part = steps == 0 ? 0 : Float(step) / Float(steps)
            let left = Int((first.x + (last.x - first.x) * part - Float(thickness) / 2).rounded())
            let top = Int((first.y + (last.y - first.y) * part - Float(thickness) / 2).rounded())
            fill(x: left..<left + thickness, y: top..<top + thickness, colour)
        }
    }

    /// What of a straight line lies in the picture and a margin around it; `nil` when nothing does (Liang and Barsky, “A New
    /// Concept and Method for Line Clipping”, 1984).
    private func visiblePart(from start: Point, to end: Point, margin: Float) -> (Point, Point)? {
        let (x, y) = (Double(start.x), Double(start.y))
        let (dx, dy) = (Double(end.x) - x, Double(end.y) - y)
        let (least, right, bottom) = (-Double(margin), Double(width) + Double(margin), Double(height) + Double(margin))
        var (enter, leave) = (0.0, 1.0)
        for (speed, room) in [(-dx, x - least), (dx, right - x), (-dy, y - least), (dy, bottom - y)] {
            if speed == 0 {
                if room < 0 { return nil }
            } else if speed < 0 {
                enter = max(enter, room / speed)
            } else {
                leave = min(leave, room / speed)
            }
        }
        guard enter <= leave else { return nil }
        func point(_ part: Double) -> Point { Point(x: Float(x + dx * part), y: Float(y + dy * part)) }
        return (point(enter), point(leave))
    }

    private mutating func fill(x: Range<Int>, y: Range<Int>, _ colour: Colour) {
        for row in y.clamped(to: 0..<height) {
            for column in x.clamped(to: 0..<width) {
                let offset = (row * width + column) * 3
                pixels[offset] = colour.red
                pixels[offset + 1] = colour.green
                pixels[offset + 2] = colour.blue
            }
        }
    }

    private mutating func blend(x: Int, y: Int, _ colour: Colour, _ coverage: UInt8) {
        guard (0..<width).contains(x), (0..<height).contains(y) else { return }
        let offset = (y * width + x) * 3
        let weight = Int(coverage)
        for (index, value) in [colour.red, colour.green, colour.blue].enumerated() {
            pixels[offset + index] = UInt8((Int(pixels[offset + index]) * (255 - weight) + Int(value) * weight) / 255)
        }
    }
}
