// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A tensor in a checkpoint: a view of a storage in the file, which is read when it is asked for.
///
/// Every element lies in the storage, and offset and strides are never negative: a tensor for which that does not hold
/// is refused when the checkpoint is opened.
public struct TensorReference: Sendable {
    let checkpoint: Checkpoint
    let record: TensorRecord

    init(_ checkpoint: Checkpoint, _ record: TensorRecord) {
        self.checkpoint = checkpoint
        self.record = record
    }

    /// The kind of number.
    public var elementType: ElementType { record.elementType }
    /// The length of each dimension, outermost first; empty for a single number.
    public var shape: [Int] { record.shape }
    /// From one element to the next in each dimension, in elements; 0 repeats an element.
    public var strides: [Int] { record.strides }
    /// The place of the first element in the storage, in elements.
    public var offset: Int { record.offset }
    /// How many elements there are: the product of `shape`.
    public var count: Int { record.count }

    /// The same number for all tensors of a checkpoint that share their storage.
    public var storageIdentity: Int { Int(record.storage) }
    /// Size of the storage, in bytes.
    public var storageByteCount: Int { checkpoint.table.storages[Int(record.storage)].byteCount }

    /// Whether the elements stand in the storage one after another, the last dimension varying fastest.
    public var isContiguous: Bool {
        var expected = 1
        for (length, stride) in zip(shape, strides).reversed() where length != 1 {
            guard stride == expected || count == 0 else { return false }
            expected = stride &* length
        }
        return true
    }
}

extension TensorReference: CustomStringConvertible {
    /// The kind of number and the shape, such as `float16[16,3,6,6]`.
    public var description: String { "\(elementType.rawValue)[\(shape.map(String.init).joined(separator: ","))]" }
}
