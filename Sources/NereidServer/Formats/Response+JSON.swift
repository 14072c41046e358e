// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore
import NIOFoundationCompat
import NereidImaging

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension Response {
    /// An answer in JSON, with its keys in alphabetical order so that equal answers are equal bytes.
    init(
        json value: some Encodable,
        status: HTTPResponse.Status = .ok,
        contentType: String = "application/json"
    ) {
        self.init(
            status: status,
            headers: [.contentType: contentType],
            body: .init(byteBuffer: ByteBuffer(json: value))
        )
    }

    /// An answer in plain text of some kind.
    init(text: String, status: HTTPResponse.Status = .ok, contentType: String = "text/plain; charset=utf-8") {
        self.init(
            status: status,
            headers: [.contentType: contentType],
            body: .init(byteBuffer: ByteBuffer(string: text))
        )
    }
}

extension Response {
    /// A long answer in JSON, as long as nobody stops it.
    ///
    /// - Parameter limit: looked at for every detection.
    /// - Throws: what the limit throws.
    init(json value: some Encodable, limit: WorkLimit) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if let key = CodingUserInfoKey.workLimit { encoder.userInfo[key] = limit }
        self.init(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try encoder.encode(value)))
        )
    }
}

extension CodingUserInfoKey {
    /// The `WorkLimit` of encoding a long answer.
    static let workLimit = CodingUserInfoKey(rawValue: "nereid.limit")
}

extension ByteBuffer {
    /// A value in JSON, with its keys in alphabetical order.
    init(json value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Every number that is encoded has been checked to be finite, so that encoding can't fail.
        self.init(bytes: (try? encoder.encode(value)) ?? Data("{}".utf8))
    }
}
