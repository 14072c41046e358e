// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// A rectangle that may be turned about its centre, in pixels.
public struct RotatedBox: Sendable, Hashable {
    /// The centre.
    public var centre: Point
    /// The side that points along ``angle``.
    public var width: Float
    /// The other side.
    public var height: Float
    /// From the picture's x axis to the box's width, in radians, clockwise as pictures are seen (y points down).
    public var angle: Float

    /// Makes a box.
    public init(centre: Point, width: Float, height: Float, angle: Float) {
        self.centre = centre
        self.width = width
        self.height = height
        self.angle = angle
    }

    /// The four corners, one after another around the box, in the order of Ultralytics' `xywhr2xyxyxyxy`: first the one
    /// where width and height both point away from the centre.
    public var corners: [Point] {
        let (cosine, sine) = (cos(angle), sin(angle))
        let along = Point(x: width / 2 * cosine, y: width / 2 * sine)
        let across = Point(x: -height / 2 * sine, y: height / 2 * cosine)
        return [(1, 1), (1, -1), (-1, -1), (-1, 1)].map { (a: Float, b: Float) in
            Point(x: centre.x + a * along.x + b * across.x, y: centre.y + a * along.y + b * across.y)
        }
    }

    /// The smallest upright box around it.
    public var bounds: Box {
        let (cosine, sine) = (abs(cos(angle)), abs(sin(angle)))
        return Box(
            centreX: centre.x,
            centreY: centre.y,
            width: width * cosine + height * sine,
            height: width * sine + height * cosine
        )
    }
}
