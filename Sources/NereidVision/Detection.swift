// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// One object found in a picture.
///
/// ``mask``, ``keypoints`` and ``rotation`` are there when the model's ``VisionTask`` gives them, and `nil` otherwise.
public struct Detection: Sendable, Hashable {
    /// Where it is, in pixels of the upright picture, clipped to it; of a rotated box, the smallest box around it.
    public var box: Box
    /// How sure the model is, 0…1.
    public var score: Float
    /// The model's number for the class, from 0.
    public var classID: Int
    /// The class in words.
    public var label: String
    /// The pixels of the picture that belong to it.
    public var mask: Mask?
    /// Its named points, in the model's order, in pixels of the upright picture, clipped to it.
    public var keypoints: [Keypoint]?
    /// The box as it is turned, in pixels of the upright picture, not clipped.
    public var rotation: RotatedBox?

    /// Makes a detection.
    public init(
        box: Box,
        score: Float,
        classID: Int,
        label: String,
        mask: Mask? = nil,
        keypoints: [Keypoint]? = nil,
        rotation: RotatedBox? = nil
    ) {
        self.box = box
        self.score = score
        self.classID = classID
        self.label = label
        self.mask = mask
        self.keypoints = keypoints
        self.rotation = rotation
    }
}

/// What a head reads off a model's outputs: a detection in the making, in pixels of the model's input.
public struct Candidate: Sendable, Hashable {
    /// Where it is, in pixels of the model's input; before it is turned by ``angle`` about its centre.
    public var box: Box
    /// How sure the model is, 0…1.
    public var score: Float
    /// The model's number for the class, from 0.
    public var classID: Int
    /// How far the box is turned, in radians, clockwise as pictures are seen; 0 but for the task `obb`.
    public var angle: Float
    /// Where in the outputs it stands, in the head's own count. What else is known of it is read there, once it is
    /// certain that somebody wants to know.
    public var place: Int

    /// Makes a candidate.
    public init(box: Box, score: Float, classID: Int, angle: Float = 0, place: Int = 0) {
        self.box = box
        self.score = score
        self.classID = classID
        self.angle = angle
        self.place = place
    }
}
