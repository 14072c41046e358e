// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// An axis-aligned rectangle: left, top, right and bottom edges, in pixels, with the origin at the top left corner of the
/// top left pixel.
///
/// Whose pixels they are is said where a box is returned: a ``Detection`` counts in pixels of the upright picture, a
/// ``Candidate`` in pixels of the model's input.
public struct Box: Sendable, Hashable {
    /// Left edge.
    public var x1: Float
    /// Top edge.
    public var y1: Float
    /// Right edge.
    public var x2: Float
    /// Bottom edge.
    public var y2: Float

    /// Makes a box from its edges.
    public init(x1: Float, y1: Float, x2: Float, y2: Float) {
        self.x1 = x1
        self.y1 = y1
        self.x2 = x2
        self.y2 = y2
    }

    /// Makes a box from its centre and its size.
    public init(centreX: Float, centreY: Float, width: Float, height: Float) {
        self.init(
            x1: centreX - width / 2,
            y1: centreY - height / 2,
            x2: centreX + width / 2,
            y2: centreY + height / 2
        )
    }

    /// Horizontal extent; negative when the edges stand the wrong way round.
    public var width: Float { x2 - x1 }

    /// Vertical extent; negative when the edges stand the wrong way round.
    public var height: Float { y2 - y1 }

    /// Width times height.
    public var area: Float { width * height }

    /// Whether all four edges are finite numbers.
    public var isFinite: Bool { x1.isFinite && y1.isFinite && x2.isFinite && y2.isFinite }

    /// Intersection over union with another box, 0…1; 0 for boxes that do not touch and for empty ones.
    public func intersectionOverUnion(_ other: Box) -> Float {
        let overlapWidth = min(x2, other.x2) - max(x1, other.x1)
        let overlapHeight = min(y2, other.y2) - max(y1, other.y1)
        guard overlapWidth > 0, overlapHeight > 0 else { return 0 }
        let intersection = overlapWidth * overlapHeight
        return intersection / (area + other.area - intersection)
    }
}
