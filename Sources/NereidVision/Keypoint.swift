// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A named point of an object, such as the left wrist of a person; its place in the list says which.
public struct Keypoint: Sendable, Hashable {
    /// From the left, in pixels.
    public var x: Float
    /// From the top, in pixels.
    public var y: Float
    /// How sure the model is that the point is to be seen, 0…1; `nil` from models that do not say.
    public var score: Float?

    /// Makes a keypoint.
    public init(x: Float, y: Float, score: Float? = nil) {
        self.x = x
        self.y = y
        self.score = score
    }
}
