// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Models that are messages of protobuf, which has no signature: told apart by their first fields.
extension ForeignFile {
    static func message(_ bytes: CheckpointBytes) -> ForeignFile? {
        guard bytes.count > 3 else { return nil }
        if bytes[0] == 0x08, (1...64).contains(bytes[1]) { return versioned(bytes) }
        if bytes[0] == 0x0A, isGraphDefinition(bytes) {
            return ForeignFile(
                found: "a frozen graph of TensorFlow (.pb)",
                advice: "export it as ONNX (python -m tf2onnx.convert --graphdef FILE --output model.onnx)"
            )
        }
        return nil
    }

    /// ONNX, Core ML and TensorFlow's SavedModel all begin with a version.
    private static func versioned(_ bytes: CheckpointBytes) -> ForeignFile? {
        if bytes[2] == 0x12 {
            // The second field: the writer's name in ONNX, a message in the others, which begins with a field of its own.
            var cursor = ProtobufCursor(bytes, in: ByteExtent(start: 2, count: bytes.count - 2))
            guard case .bytes(let extent)? = (try? cursor.next())?.value, extent.count > 1, bytes[extent.start] == 0x0A
            else { return graph }
            return bytes[1] == 1 && isSavedModel(bytes, extent)
                ? ForeignFile(
                    found: "a SavedModel of TensorFlow (saved_model.pb)",
                    advice: "export it as ONNX (python -m tf2onnx.convert --saved-model FOLDER --output model.onnx)"
                )
                : ForeignFile(found: "a Core ML model", advice: export)
        }
        return [0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42].contains(bytes[2]) ? graph : nil
    }

    private static let graph = ForeignFile(found: "an ONNX graph", advice: "name it .onnx and serve it as it is")

    /// `MetaGraphDef.meta_info_def` lists the operators in use, or TensorFlow's version.
    private static func isSavedModel(_ bytes: CheckpointBytes, _ extent: ByteExtent) -> Bool {
        let head = (extent.start..<extent.start + min(extent.count, 1 << 16, bytes.count - extent.start)).map {
            bytes[$0]
        }
        let text = String(decoding: head, as: UTF8.self)
        return ["serve", "Placeholder", "Const", "NoOp", "Identity", "tf_version"].contains { text.contains($0) }
    }

    /// `GraphDef`: nodes, each with a name and an operator, which are words.
    private static func isGraphDefinition(_ bytes: CheckpointBytes) -> Bool {
        var cursor = ProtobufCursor(bytes, in: ByteExtent(start: 0, count: bytes.count))
        guard case .bytes(let node)? = (try? cursor.next())?.value else { return false }
        var fields = ProtobufCursor(bytes, in: node)
        guard let name = try? fields.next(), name.number == 1, case .bytes(let nameExtent) = name.value,
            let kind = try? fields.next(), kind.number == 2, case .bytes(let kindExtent) = kind.value
        else { return false }
        return [nameExtent, kindExtent].allSatisfy { extent in
            (1...256).contains(extent.count)
                && (extent.start..<extent.end).allSatisfy { (0x21...0x7E).contains(bytes[$0]) }
        }
    }
}
