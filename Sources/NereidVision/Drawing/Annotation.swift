// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging

/// Draws detections over a picture: a frame in the colour of the class, and its label with the score.
public enum Annotation {
    /// The picture with its detections drawn on it. Blocks its thread for milliseconds: call through `ImagingPool`.
    ///
    /// Lines and letters grow with the picture, so that they read the same on any screen.
    ///
    /// - Throws: `ImagingError` when the labels can't be set in type.
    public static func draw(_ detections: [Detection], on picture: Picture) throws -> Picture {
        let reference = max(picture.width, picture.height)
        let thickness = max(2, reference / 500)
        let textHeight = max(14, reference / 60)
        var canvas = Canvas(picture)
        // The surest last, so that they lie on top.
        for detection in detections.reversed() {
            let colour = Colour(classID: detection.classID)
            canvas.frame(detection.box, thickness: thickness, colour: colour)
            let percent = Int((detection.score * 100).rounded())
            let text = try TextMask("\(detection.label) \(percent) %", height: textHeight)
            canvas.tag(text, above: detection.box, padding: thickness * 2, colour: colour)
        }
        return try canvas.picture()
    }
}

/// An opaque colour, 8 bits a channel.
struct Colour: Equatable {
    var red: UInt8
    var green: UInt8
    var blue: UInt8

    /// A colour for a class. Neighbouring numbers are a golden angle apart on the colour wheel, hence never alike.
    init(classID: Int) {
        let hue = (Double(classID) * 137.508 + 24).truncatingRemainder(dividingBy: 360) / 60
        let (chroma, light) = (0.85, 0.98)
        func channel(_ offset: Double) -> UInt8 {
            // HSV to RGB in its closed form.
            let k = (offset + hue).truncatingRemainder(dividingBy: 6)
            return UInt8((255 * (light - light * chroma * max(0, min(k, 4 - k, 1)))).rounded())
        }
        (red, green, blue) = (channel(5), channel(3), channel(1))
    }

    init(red: UInt8, green: UInt8, blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    /// Black or white, whichever reads better on this colour (relative luminance, ITU-R BT.709).
    var ink: Colour {
        let luminance = 0.2126 * Double(red) + 0.7152 * Double(green) + 0.0722 * Double(blue)
        return luminance > 120 ? Colour(red: 0, green: 0, blue: 0) : Colour(red: 255, green: 255, blue: 255)
    }
}

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
    mutating func tag(_ text: TextMask, above box: Box, padding: Int, colour: Colour) {
        let plate = (width: text.width + 2 * padding, height: text.height + padding)
        let left = max(0, min(Int(box.x1.rounded()), width - plate.width))
        let above = Int(box.y1.rounded()) - plate.height
        let top = above >= 0 ? above : max(0, min(Int(box.y1.rounded()), height - plate.height))
        fill(x: left..<left + plate.width, y: top..<top + plate.height, colour)
        let ink = colour.ink
        for row in 0..<text.height {
            for column in 0..<text.width {
                let coverage = text.coverage[row * text.width + column]
                if coverage > 0 { blend(x: left + padding + column, y: top + padding / 2 + row, ink, coverage) }
            }
        }
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
