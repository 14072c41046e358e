// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What the pictures of one job may be, in zips and beside them.
struct ArchiveLimits: Sendable, Equatable {
    /// Pictures of one job; 10,000.
    var pictures = 10_000
    /// Files in one zip, pictures or not; 40,000.
    var files = 40_000
    /// Bytes of a zip's table of contents; 8 MiB. It is read as a whole before the first file is, and takes several times its
    /// size then.
    var directoryBytes = 8 << 20
    /// Bytes of one picture.
    var pictureBytes: Int
    /// Bytes of all pictures of a request's zips, as they are when unpacked.
    var unpackedBytes: Int

    /// How much larger than the largest request the pictures of its zips may be. Pictures hardly shrink in a zip, but for
    /// uncompressed ones.
    static let expansion = 2
}
