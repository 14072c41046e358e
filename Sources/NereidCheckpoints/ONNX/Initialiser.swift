// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A constant of the graph.
struct Initialiser: Sendable {
    /// What it holds.
    enum Content: Sendable {
        case integers([Int64])
        case floats([Float])
        /// Weights that are read from the checkpoint when the graph is written.
        case weights(Weights, WeightPrecision)
    }

    let name: String
    let shape: [Int]
    let content: Content

    /// What describes it in the graph, without its elements.
    var message: Onnx_TensorProto {
        var message = Onnx_TensorProto()
        message.name = name
        message.dims = shape.map(Int64.init)
        let type: Onnx_TensorProto.DataType =
            switch content {
            case .integers: .int64
            case .floats, .weights(_, .float32): .float
            case .weights(_, .float16): .float16
            }
        message.dataType = Int32(type.rawValue)
        return message
    }

    /// The number of bytes that its elements take.
    var byteCount: Int {
        switch content {
        case .integers(let numbers): numbers.count * MemoryLayout<Int64>.size
        case .floats(let numbers): numbers.count * MemoryLayout<Float>.size
        case .weights(let weights, .float32): weights.count * MemoryLayout<Float>.size
        case .weights(let weights, .float16): weights.count * MemoryLayout<Float16>.size
        }
    }

    /// Gives the elements' bytes, little endian, the last dimension first.
    func withElements<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        switch content {
        case .integers(let numbers):
            try numbers.map(\.littleEndian).withUnsafeBytes(body)
        case .floats(let numbers):
            try Self.littleEndian(numbers).withUnsafeBytes(body)
        case .weights(let weights, .float32):
            try Self.littleEndian(weights.elements()).withUnsafeBytes(body)
        case .weights(let weights, .float16):
            try weights.elements().map { UInt16(littleEndian: Float16($0).bitPattern) }.withUnsafeBytes(body)
        }
    }

    private static func littleEndian(_ numbers: [Float]) -> [Float] {
        #if _endian(little)
        numbers
        #else
        numbers.map { Float(bitPattern: $0.bitPattern.littleEndian) }
        #endif
    }
}
