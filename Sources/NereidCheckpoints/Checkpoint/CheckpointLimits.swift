// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Bounds on what a checkpoint may ask of its reader.
///
/// A checkpoint is an untrusted file: a few bytes can describe endless nesting or a tensor of terabytes. The defaults
/// leave room for models many times larger than those in use; what goes beyond is refused.
public struct CheckpointLimits: Sendable, Hashable {
    /// How deep values may be nested, and how many collections may be open at once. 1,000 by default.
    public var depth = 1_000
    /// How many values and entries of collections the file may hold in all. 2,000,000 by default.
    ///
    /// A text counts as nine where it is first used, so that the memory that values take stays below some 200 megabytes.
    /// YOLOv5n needs 43,000.
    public var values = 2_000_000
    /// How many entries the archive may have. 100,000 by default.
    public var archiveEntries = 100_000
    /// How many more elements than its storage a tensor may have that is read out. 1,048,576 by default.
    ///
    /// A view with stride 0 repeats its elements without storing them; read out, they take memory.
    public var repeatedElements = 1 << 20
    /// How many dimensions a tensor may have. 64 by default, as in the frameworks.
    public var dimensions = 64

    /// Makes the default bounds.
    public init() {}
}
