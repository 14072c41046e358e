// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A place in a picture, in pixels from the top left corner of the top left pixel.
public struct Point: Sendable, Hashable {
    /// From the left.
    public var x: Float
    /// From the top.
    public var y: Float

    /// Makes a point.
    public init(x: Float, y: Float) {
        self.x = x
        self.y = y
    }
}
