// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A file that a training framework saved, as a tree of plain values and tensors.
///
/// Opening one reads its structure and maps its numbers; nothing in the file is ever executed, imported or looked up.
/// Classes and functions that the file names appear as ``PickledObject``, which says what the file wanted and no more.
/// All offsets, shapes and sizes have been checked against the file when the initialiser returns.
///
/// The values are held in one flat table. They may be shared and may even contain themselves: whoever walks down from
/// ``root`` does so with a bound, or asks ``CheckpointValue/checkNesting(atMost:)`` first.
///
/// The file must not be changed in place while the checkpoint is in use; replacing it by renaming another one is fine.
/// Opening reads the disk and takes milliseconds: call it where blocking is allowed.
public final class Checkpoint: Sendable {
    /// The path that was opened, or the name that was given.
    public let file: String
    /// How the file keeps its pickle and its numbers.
    public let container: CheckpointContainer

    let bytes: CheckpointBytes
    let table: ValueTable
    let limits: CheckpointLimits
    private let rootIndex: ValueIndex

    /// Opens a file.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - limits: Bounds on what it may ask for.
    /// - Throws: ``CheckpointError`` when the file cannot be read, is something else, is damaged or hostile.
    public convenience init(path: String, limits: CheckpointLimits = CheckpointLimits()) throws(CheckpointError) {
        try self.init(CheckpointBytes(mapping: path), file: path, limits: limits)
    }

    /// Reads a checkpoint that is in memory; its bytes are copied.
    ///
    /// - Parameters:
    ///   - contents: The bytes of the file.
    ///   - name: What the file is called in messages.
    ///   - limits: Bounds on what it may ask for.
    /// - Throws: ``CheckpointError`` when the bytes are something else, damaged or hostile.
    public convenience init(
        contents: [UInt8],
        name: String,
        limits: CheckpointLimits = CheckpointLimits()
    ) throws(CheckpointError) {
        let bytes = contents.withUnsafeBytes { CheckpointBytes(copying: $0) }
        try self.init(bytes, file: name, limits: limits)
    }

    init(_ bytes: CheckpointBytes, file: String, limits: CheckpointLimits) throws(CheckpointError) {
        let content = try CheckpointContent(bytes, file: file, limits: limits)
        self.file = file
        self.bytes = bytes
        self.limits = limits
        container = content.container
        table = content.table
        rootIndex = content.root
    }

    /// The value that was saved; a dictionary in most files.
    public var root: CheckpointValue { CheckpointValue(self, rootIndex) }

    /// The classes and functions that the file names, each once, in the order in which they first appear.
    public var names: [PickledName] { table.names.map { PickledName(module: $0.module, name: $0.name) } }

    /// Size of the file, in bytes.
    public var byteCount: Int { bytes.count }

    /// How many values the file holds.
    public var valueCount: Int { table.nodes.count }

    /// Reads the file's bytes, for a checksum.
    public func withContents<Result>(
        _ body: (RawSpan) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        try bytes.withBytes(in: ByteExtent(start: 0, count: bytes.count)) { buffer throws(CheckpointError) in
            try body(buffer.bytes)
        }
    }
}
