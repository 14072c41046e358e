// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CONNXRuntime

extension ONNXRuntimeLibrary {
    /// Reads what a loaded graph says about itself.
    func describe(_ session: ONNXRuntimeObject) throws(ONNXRuntimeFailure) -> GraphDescription {
        var inputCount = 0
        var outputCount = 0
        try check(session { api.pointee.SessionGetInputCount($0, &inputCount) })
        try check(session { api.pointee.SessionGetOutputCount($0, &outputCount) })
        let functions = api.pointee
        let inputs = try descriptions(
            inputCount,
            of: session,
            functions.SessionGetInputName,
            functions.SessionGetInputTypeInfo
        )
        let outputs = try descriptions(
            outputCount,
            of: session,
            functions.SessionGetOutputName,
            functions.SessionGetOutputTypeInfo
        )
        return GraphDescription(inputs: inputs, outputs: outputs, metadata: try metadata(of: session))
    }

    private typealias NameFunction =
        @convention(c) (
            OpaquePointer, Int, OpaquePointer, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
        ) -> OpaquePointer?
    private typealias TypeFunction =
        @convention(c) (
            OpaquePointer, Int, UnsafeMutablePointer<OpaquePointer?>
        ) -> OpaquePointer?

    private func descriptions(
        _ count: Int,
        of session: ONNXRuntimeObject,
        _ name: NameFunction,
        _ type: TypeFunction
    ) throws(ONNXRuntimeFailure) -> [TensorDescription] {
        let allocator = try defaultAllocator()
        var descriptions: [TensorDescription] = []
        for index in 0..<count {
            let name = try string(from: allocator) { out in session { name($0, index, allocator, &out) } }
            let info = try make(\.ReleaseTypeInfo) { _, out in session { type($0, index, &out) } }
            let description = try info { info throws(ONNXRuntimeFailure) in try describe(name ?? "", info) }
            descriptions.append(description)
        }
        return descriptions
    }

    private func describe(_ name: String, _ typeInfo: OpaquePointer) throws(ONNXRuntimeFailure) -> TensorDescription {
        var tensorInfo: OpaquePointer?
        try check(api.pointee.CastTypeInfoToTensorInfo(typeInfo, &tensorInfo))
        guard let tensorInfo else { return TensorDescription(name: name, elementTypeName: "non-tensor", shape: []) }
        var code: Int32 = 0
        try check(api.pointee.GetTensorElementType(tensorInfo, &code))
        let shape = try dimensions(of: tensorInfo)
        guard let elementType = ElementType(onnxCode: code) else {
            return TensorDescription(name: name, elementTypeName: ElementType.onnxName(of: code), shape: shape)
        }
        return TensorDescription(name: name, elementType: elementType, shape: shape)
    }

    private func dimensions(of tensorInfo: OpaquePointer) throws(ONNXRuntimeFailure) -> [Dimension] {
        let lengths = try lengths(of: tensorInfo)
        var names = [UnsafePointer<CChar>?](repeating: nil, count: lengths.count)
        try check(api.pointee.GetSymbolicDimensions(tensorInfo, &names, names.count))
        return zip(lengths, names).map { length, name in
            guard length < 0 else { return .fixed(Int(length)) }
            // A dimension without a name has an empty one.
            let name = name.map { String(cString: $0) } ?? ""
            return .free(name: name.isEmpty ? nil : name)
        }
    }

    /// Reads the lengths of a tensor's dimensions; -1 stands for a free one.
    func lengths(of tensorInfo: OpaquePointer) throws(ONNXRuntimeFailure) -> [Int64] {
        var rank = 0
        try check(api.pointee.GetDimensionsCount(tensorInfo, &rank))
        var lengths = [Int64](repeating: 0, count: rank)
        try check(api.pointee.GetDimensions(tensorInfo, &lengths, rank))
        return lengths
    }

    private func metadata(of session: ONNXRuntimeObject) throws(ONNXRuntimeFailure) -> [String: String] {
        let metadata = try make(\.ReleaseModelMetadata) { api, out in
            session { api.pointee.SessionGetModelMetadata($0, &out) }
        }
        let allocator = try defaultAllocator()
        var keys: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        var count: Int64 = 0
        try check(metadata { api.pointee.ModelMetadataGetCustomMetadataMapKeys($0, allocator, &keys, &count) })
        guard let keys else { return [:] }
        defer {
            for index in 0..<Int(count) { free(keys[index], allocator) }
            free(keys, allocator)
        }
        var values: [String: String] = [:]
        for index in 0..<Int(count) {
            guard let key = keys[index] else { continue }
            values[String(cString: key)] = try string(from: allocator) { out in
                metadata { api.pointee.ModelMetadataLookupCustomMetadataMap($0, allocator, key, &out) }
            }
        }
        return values
    }

    /// Calls a function that hands out a string of the allocator's, and copies the string.
    private func string(
        from allocator: OpaquePointer,
        _ get: (inout UnsafeMutablePointer<CChar>?) -> OpaquePointer?
    ) throws(ONNXRuntimeFailure) -> String? {
        var characters: UnsafeMutablePointer<CChar>?
        try check(get(&characters))
        guard let characters else { return nil }
        defer { free(characters, allocator) }
        return String(cString: characters)
    }

    private func free(_ memory: UnsafeMutableRawPointer?, _ allocator: OpaquePointer) {
        guard let memory else { return }
        // Freeing cannot fail; were it to, the memory would only be lost.
        try? check(api.pointee.AllocatorFree(allocator, memory))
    }
}

/// ONNX's numbers for kinds of elements (`TensorProto.DataType` in onnx.proto, `ONNXTensorElementDataType` in ONNX
/// Runtime).
extension ElementType {
    init?(onnxCode: Int32) {
        guard let match = Self.allCases.first(where: { $0.onnxCode == onnxCode }) else { return nil }
        self = match
    }

    var onnxCode: Int32 {
        switch self {
        case .float32: 1
        case .uint8: 2
        case .int8: 3
        case .int32: 6
        case .int64: 7
        case .float16: 10
        }
    }

    /// Names a kind that Nereid does not carry.
    static func onnxName(of code: Int32) -> String {
        switch code {
        case 4: "uint16"
        case 5: "int16"
        case 8: "string"
        case 9: "bool"
        case 11: "float64"
        case 12: "uint32"
        case 13: "uint64"
        case 14: "complex64"
        case 15: "complex128"
        case 16: "bfloat16"
        default: "type\(code)"
        }
    }
}
