// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// One object found in a picture.
public struct Detection: Sendable, Hashable {
    /// Where it is, in pixels of the upright picture, clipped to it.
    public var box: Box
    /// How sure the model is, 0…1.
    public var score: Float
    /// The model's number for the class, from 0.
    public var classID: Int
    /// The class in words.
    public var label: String

    /// Makes a detection.
    public init(box: Box, score: Float, classID: Int, label: String) {
        self.box = box
        self.score = score
        self.classID = classID
        self.label = label
    }
}

/// What a head reads off a model's outputs: a detection in the making, in pixels of the model's input.
public struct Candidate: Sendable, Hashable {
    /// Where it is, in pixels of the model's input.
    public var box: Box
    /// How sure the model is, 0…1.
    public var score: Float
    /// The model's number for the class, from 0.
    public var classID: Int

    /// Makes a candidate.
    public init(box: Box, score: Float, classID: Int) {
        self.box = box
        self.score = score
        self.classID = classID
    }
}
