// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// ONNX files made by hand, field by field (Protocol Buffers, Encoding), for what no exporter would write.
enum GraphMessage {
    static func number(_ field: Int, _ value: Int) -> [UInt8] { varint(field << 3) + varint(value) }

    static func bytes(_ field: Int, _ content: [UInt8]) -> [UInt8] {
        varint(field << 3 | 2) + varint(content.count) + content
    }

    static func text(_ field: Int, _ text: String) -> [UInt8] { bytes(field, Array(text.utf8)) }

    /// A model that adds weights to its input, or does something else with it.
    ///
    /// - Parameters:
    ///   - weights: where the weights are, if not in the file: the location, and their 48 bytes from the offset on.
    ///   - domains: sets of operators beside ONNX's own.
    static func model(
        operation: String = "Relu",
        domain: String = "",
        weights: (location: String, offset: Int)? = nil,
        version: Int = 8,
        opset: Int = 17,
        domains: [String] = []
    ) -> [UInt8] {
        var node = text(1, "images")
        if weights != nil { node += text(1, "w") }
        node += text(2, "out") + text(4, weights == nil ? operation : "Add")
        if !domain.isEmpty { node += text(7, domain) }
        var graph = bytes(1, node) + text(2, "g")
        if let weights { graph += bytes(5, tensor(weights)) }
        graph += bytes(11, value("images")) + bytes(12, value("out"))
        var model = number(1, version) + text(2, "tests") + bytes(7, graph) + bytes(8, number(2, opset))
        for domain in domains { model += bytes(8, text(1, domain) + number(2, 1)) }
        return model
    }

    private static let shape = [1, 3, 2, 2]

    private static func tensor(_ weights: (location: String, offset: Int)) -> [UInt8] {
        var tensor = shape.flatMap { number(1, $0) } + number(2, 1) + text(8, "w")
        for (key, value) in [("location", weights.location), ("offset", "\(weights.offset)"), ("length", "48")] {
            tensor += bytes(13, text(1, key) + text(2, value))
        }
        return tensor + number(14, 1)
    }

    private static func value(_ name: String) -> [UInt8] {
        let dimensions = shape.flatMap { bytes(1, number(1, $0)) }
        return text(1, name) + bytes(2, bytes(1, number(1, 1) + bytes(2, dimensions)))
    }

    private static func varint(_ number: Int) -> [UInt8] {
        var (bytes, rest): ([UInt8], Int) = ([], number)
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
