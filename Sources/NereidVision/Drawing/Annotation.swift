// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging

/// Draws what a model saw over a picture: of each object a frame in the colour of its class, straight or turned, its pixels
/// tinted, its keypoints as dots, and its label with the score; of a whole picture its classes in words.
public enum Annotation {
    /// The picture with all of it drawn on it. Blocks its thread for milliseconds: call through `ImagingPool`.
    ///
    /// Lines and letters grow with the picture, so that they read the same on any screen.
    ///
    /// - Parameters:
    ///   - detections: The objects.
    ///   - classifications: The classes of the whole picture, listed at its top left corner. Default: none.
    ///   - limit: When the work must stop; looked at for every object and every column of a mask. Default: not before it has
    ///     ended.
    /// - Throws: `ImagingError` when the labels can't be set in type; what the limit throws.
    public static func draw(
        _ detections: [Detection],
        classifications: [Classification] = [],
        on picture: Picture,
        limit: WorkLimit = .unlimited
    ) throws -> Picture {
        try limit.check()
        let reference = max(picture.width, picture.height)
        let thickness = max(2, reference / 500)
        let textHeight = max(14, reference / 60)
        var canvas = Canvas(picture)
        // The surest last, so that they lie on top; tints below all lines.
        for detection in detections.reversed() {
            if let mask = detection.mask, mask.size == picture.size {
                try canvas.tint(mask, Colour(classID: detection.classID), limit)
            }
        }
        for detection in detections.reversed() {
            try limit.check()
            let colour = Colour(classID: detection.classID)
            if let corners = detection.rotation?.corners {
                canvas.outline(corners, thickness: thickness, colour: colour)
            } else {
                canvas.frame(detection.box, thickness: thickness, colour: colour)
            }
            for (place, keypoint) in (detection.keypoints ?? []).enumerated()
            where (keypoint.score ?? 1) >= leastKeypointScore {
                let centre = Point(x: keypoint.x, y: keypoint.y)
                canvas.dot(centre, radius: 2 * thickness, colour: Colour(classID: place))
            }
            let text = try TextMask(words(detection.label, detection.score), height: textHeight)
            canvas.tag(text, above: detection.box, padding: thickness * 2, colour: colour)
        }
        for (line, classification) in classifications.enumerated() {
            try limit.check()
            let text = try TextMask(words(classification.label, classification.score), height: textHeight)
            let top = Float(line * (textHeight + 2 * thickness))
            canvas.tag(
                text,
                above: Box(x1: 0, y1: top, x2: 0, y2: top),
                padding: thickness * 2,
                colour: Colour(classID: classification.classID),
                isBelow: true
            )
        }
        return try canvas.picture()
    }

    /// Points that the model is less sure of are not drawn: they are hidden, or not in the picture.
    private static let leastKeypointScore: Float = 0.25

    private static func words(_ label: String, _ score: Float) -> String {
        "\(label) \(Int((score * 100).rounded())) %"
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
