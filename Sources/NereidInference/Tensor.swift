// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// An array of numbers with a shape, stored densely in row-major order (the last dimension varies fastest).
///
/// A tensor owns its memory, which starts at a multiple of 64 bytes when the tensor was made here, or reads in place
/// the memory of an engine's answer. Nobody writes to it once its initialiser has returned, so it may be shared freely.
public final class Tensor: @unchecked Sendable {
    /// The kind of number held.
    public let elementType: ElementType
    /// The length of each dimension, outermost first; empty for a single number.
    public let shape: [Int]
    /// How many numbers are held: the product of `shape`.
    public let count: Int

    // `@unchecked Sendable` holds because the memory is written only inside the initialiser, before anybody else has
    // the tensor, and `owner` is never used for anything but keeping the memory alive.
    private let bytes: UnsafeRawBufferPointer
    private let owner: AnyObject

    /// Size of the numbers, in bytes.
    public var byteCount: Int { bytes.count }

    /// Makes a tensor and fills it in place.
    ///
    /// - Parameters:
    ///   - elementType: The kind of number to hold.
    ///   - shape: The length of each dimension, outermost first; a length of 0 makes an empty tensor.
    ///   - body: Fills the memory, which starts out as zeros.
    /// - Throws: ``InferenceError/invalidShape(_:)`` when a length is negative or the product too large for memory;
    ///   whatever `body` throws.
    public init(
        _ elementType: ElementType,
        shape: [Int],
        initializingWith body: (inout MutableRawSpan) throws -> Void
    ) throws {
        let count = try Self.elementCount(of: shape, elementType)
        let memory = AlignedMemory(byteCount: count * elementType.byteCount)
        var span = memory.bytes.mutableBytes
        try body(&span)
        self.elementType = elementType
        self.shape = shape
        self.count = count
        self.bytes = UnsafeRawBufferPointer(memory.bytes)
        self.owner = memory
    }

    /// Makes a tensor of zeros.
    ///
    /// - Throws: ``InferenceError/invalidShape(_:)`` when a length is negative or the product too large for memory.
    public convenience init(zeros elementType: ElementType, shape: [Int]) throws {
        try self.init(elementType, shape: shape) { _ in }
    }

    /// Makes a tensor that holds a copy of an array.
    ///
    /// - Parameters:
    ///   - elements: The numbers, in row-major order.
    ///   - shape: The length of each dimension, outermost first.
    /// - Throws: ``InferenceError/elementCountMismatch(shape:count:)`` when the shape holds another number of elements;
    ///   ``InferenceError/invalidShape(_:)``.
    public convenience init<T: TensorElement>(_ elements: [T], shape: [Int]) throws {
        guard try Self.elementCount(of: shape, T.elementType) == elements.count else {
            throw InferenceError.elementCountMismatch(shape: shape, count: elements.count)
        }
        try self.init(T.elementType, shape: shape) { span in
            span.withUnsafeMutableBytes { target in
                elements.withUnsafeBytes { target.copyMemory(from: $0) }
            }
        }
    }

    /// Reads in place memory that `owner` keeps alive and that nobody writes to any more.
    init(_ elementType: ElementType, shape: [Int], reading start: UnsafeRawPointer?, of owner: AnyObject) throws {
        let count = try Self.elementCount(of: shape, elementType)
        self.elementType = elementType
        self.shape = shape
        self.count = count
        self.bytes = UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count * elementType.byteCount)
        self.owner = owner
    }

    /// Reads the numbers as bytes, in the machine's byte order.
    public func withBytes<R>(_ body: (RawSpan) throws -> R) rethrows -> R {
        try withExtendedLifetime(owner) { try body(bytes.bytes) }
    }

    /// Reads the numbers.
    ///
    /// - Throws: ``InferenceError/elementTypeMismatch(held:asked:)`` when the tensor holds another kind of number;
    ///   whatever `body` throws.
    public func withElements<T: TensorElement, R>(of type: T.Type, _ body: (Span<T>) throws -> R) throws -> R {
        guard T.elementType == elementType else {
            throw InferenceError.elementTypeMismatch(held: elementType, asked: T.elementType)
        }
        return try withExtendedLifetime(owner) { try body(bytes.assumingMemoryBound(to: T.self).span) }
    }

    /// Gives the pointer an engine reads from; the tensor must outlive the use of it.
    var start: UnsafeRawPointer? { bytes.baseAddress }

    private static func elementCount(of shape: [Int], _ elementType: ElementType) throws(InferenceError) -> Int {
        var byteCount = elementType.byteCount
        for length in shape {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: length)
            guard length >= 0, !overflow else { throw .invalidShape(shape) }
            byteCount = product
        }
        return byteCount / elementType.byteCount
    }
}

extension Tensor: CustomStringConvertible {
    /// The kind of number and the shape, such as `float32[1,3,640,640]`.
    public var description: String { "\(elementType.rawValue)[\(shape.map(String.init).joined(separator: ","))]" }
}

/// Zeroed memory at a multiple of 64 bytes, the width of a cache line and of the widest vector registers.
private final class AlignedMemory {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }
}
