// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The kind of number that a tensor holds.
///
/// Only the kinds that Nereid carries between its rooms; a graph may use others inside itself.
/// The raw value is the name used in descriptions, settings and answers.
public enum ElementType: String, Sendable, Codable, CaseIterable {
    case float32
    case float16
    case uint8
    case int8
    case int32
    case int64

    /// Size of one element, in bytes.
    public var byteCount: Int {
        switch self {
        case .uint8, .int8: 1
        case .float16: 2
        case .float32, .int32: 4
        case .int64: 8
        }
    }
}

/// A Swift number that a tensor can hold.
public protocol TensorElement: BitwiseCopyable, Sendable {
    /// The tensor's name for this kind of number.
    static var elementType: ElementType { get }
}

extension Float: TensorElement {
    /// `float32`, IEEE 754 binary32.
    public static var elementType: ElementType { .float32 }
}

extension Float16: TensorElement {
    /// `float16`, IEEE 754 binary16.
    public static var elementType: ElementType { .float16 }
}

extension UInt8: TensorElement {
    /// `uint8`.
    public static var elementType: ElementType { .uint8 }
}

extension Int8: TensorElement {
    /// `int8`.
    public static var elementType: ElementType { .int8 }
}

extension Int32: TensorElement {
    /// `int32`.
    public static var elementType: ElementType { .int32 }
}

extension Int64: TensorElement {
    /// `int64`.
    public static var elementType: ElementType { .int64 }
}
