// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What a model does with a picture. The raw value is the word for it in settings, in metadata and in answers.
public enum VisionTask: String, Sendable, Hashable, CaseIterable {
    /// Finds objects: a box each.
    case detect
    /// Finds objects: a box and the pixels of each.
    case segment
    /// Finds objects: a box and named points of each.
    case pose
    /// Finds objects: a box of each that may be turned.
    case obb
    /// Says what the whole picture shows.
    case classify
}
