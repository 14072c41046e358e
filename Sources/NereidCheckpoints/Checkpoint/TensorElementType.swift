// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension TensorReference {
    /// The kind of number that a tensor of a checkpoint holds.
    public enum ElementType: String, Sendable, Hashable, CaseIterable {
        case float16
        /// The upper half of a float32.
        case bfloat16
        case float32
        case float64
        case uint8
        case uint16
        case uint32
        case uint64
        case int8
        case int16
        case int32
        case int64
        /// One byte each; anything but 0 is true.
        case boolean
        /// Real and imaginary part, float32 each.
        case complex64
        /// Real and imaginary part, float64 each.
        case complex128

        /// Size of one element, in bytes.
        public var byteCount: Int {
            switch self {
            case .uint8, .int8, .boolean: 1
            case .float16, .bfloat16, .uint16, .int16: 2
            case .float32, .uint32, .int32: 4
            case .float64, .uint64, .int64, .complex64: 8
            case .complex128: 16
            }
        }

        /// The type that `torch` has by this name, such as `half` or `float16`.
        init?(torchName: String) {
            switch torchName {
            case "half": self = .float16
            case "float": self = .float32
            case "double": self = .float64
            case "short": self = .int16
            case "int": self = .int32
            case "long": self = .int64
            case "bool": self = .boolean
            case "cfloat": self = .complex64
            case "cdouble": self = .complex128
            case "boolean": return nil
            default: self.init(rawValue: torchName)
            }
        }

        /// The type that NumPy has by this code, such as `f4`.
        init?(arrayCode: String) {
            switch arrayCode {
            case "f2": self = .float16
            case "f4": self = .float32
            case "f8": self = .float64
            case "u1": self = .uint8
            case "u2": self = .uint16
            case "u4": self = .uint32
            case "u8": self = .uint64
            case "i1": self = .int8
            case "i2": self = .int16
            case "i4": self = .int32
            case "i8": self = .int64
            case "b1": self = .boolean
            case "c8": self = .complex64
            case "c16": self = .complex128
            default: return nil
            }
        }
    }
}
