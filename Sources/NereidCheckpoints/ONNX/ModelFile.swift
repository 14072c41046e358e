// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import SwiftProtobuf

/// An ONNX model whose initialisers are computed one at a time, while it is written.
///
/// A protobuf message is its fields one after another, in any order, so that the small fields can be written by
/// swift-protobuf and the large ones by hand behind them. The lengths that protobuf wants in front are known from the
/// shapes. In this way at most one tensor is in memory next to what is written.
struct ModelFile: Sendable {
    /// The model without its graph.
    private let head: Data
    /// The graph without its initialisers.
    private let graph: Data
    private let initialisers: [Entry]
    private let graphLength: Int
    /// The number of bytes of the whole model.
    let byteCount: Int

    /// An initialiser and its message without the elements.
    private struct Entry: Sendable {
        let initialiser: Initialiser
        let description: Data
        /// The number of bytes of the message, without its own tag and length.
        let length: Int
    }

    /// Field numbers of the format, each with the wire type for a field that states its length.
    private enum Tag {
        static let modelGraph: UInt8 = 7 << 3 | 2
        static let graphInitialiser: UInt8 = 5 << 3 | 2
        static let tensorElements: UInt8 = 9 << 3 | 2
    }

    /// Protobuf readers refuse messages of 2 GiB and more.
    static let maximumByteCount = Int(Int32.max)

    /// - Throws: ``ConversionError/graphTooLarge(byteCount:limit:)``.
    init(model: Onnx_ModelProto, graph: Onnx_GraphProto, initialisers: [Initialiser]) throws {
        head = try model.serializedBytes()
        self.graph = try graph.serializedBytes()
        var total = self.graph.count
        self.initialisers = try initialisers.map { initialiser in
            let description: Data = try initialiser.message.serializedBytes()
            let elements = initialiser.byteCount
            let length = description.count + 1 + Varint.length(of: elements) + elements
            total += 1 + Varint.length(of: length) + length
            guard total < Self.maximumByteCount else {
                throw ConversionError.graphTooLarge(byteCount: total, limit: Self.maximumByteCount)
            }
            return Entry(initialiser: initialiser, description: description, length: length)
        }
        graphLength = total
        byteCount = head.count + 1 + Varint.length(of: total) + total
    }

    /// Hands over the model's bytes piece by piece, in order.
    func write(_ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        try head.withUnsafeBytes(take)
        try Varint.bytes(Tag.modelGraph, graphLength).withUnsafeBytes(take)
        try graph.withUnsafeBytes(take)
        for entry in initialisers {
            try Varint.bytes(Tag.graphInitialiser, entry.length).withUnsafeBytes(take)
            try entry.description.withUnsafeBytes(take)
            try Varint.bytes(Tag.tensorElements, entry.initialiser.byteCount).withUnsafeBytes(take)
            try entry.initialiser.withElements(take)
        }
    }
}

/// Protobuf's numbers of variable length: seven bits to a byte, the lowest first.
///
/// Source: Protocol Buffers, Encoding, “Base 128 Varints”.
private enum Varint {
    static func length(of number: Int) -> Int {
        max(1, (Int.bitWidth - number.leadingZeroBitCount + 6) / 7)
    }

    /// A field's tag, then a number.
    static func bytes(_ tag: UInt8, _ number: Int) -> [UInt8] {
        var bytes = [tag]
        var rest = UInt(number)
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        return bytes
    }
}
