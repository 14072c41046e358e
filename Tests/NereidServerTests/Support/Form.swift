// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import NIOCore

/// A body of `multipart/form-data`, written by hand.
struct Form {
    static let boundary = "----nereid7MA4YWxk"

    private let preamble: String
    private let epilogue: String
    private var parts: [(headers: String, content: [UInt8])] = []

    init(preamble: String = "", epilogue: String = "\r\n") {
        self.preamble = preamble
        self.epilogue = epilogue
    }

    /// Adds a part with these header lines.
    func part(_ headers: String, _ content: [UInt8]) -> Form {
        var form = self
        form.parts.append((headers, content))
        return form
    }

    func field(_ name: String, _ value: String) -> Form {
        part("Content-Disposition: form-data; name=\"\(name)\"", Array(value.utf8))
    }

    func file(_ filename: String, _ bytes: ByteBuffer, name: String = "file") -> Form {
        part(
            "Content-Disposition: form-data; name=\"\(name)\"; filename=\"\(filename)\"\r\n"
                + "Content-Type: application/octet-stream",
            Array(bytes.readableBytesView)
        )
    }

    var bytes: [UInt8] {
        let parts = parts.flatMap { part in
            Array("--\(Self.boundary)\r\n\(part.headers)\r\n\r\n".utf8) + part.content + Array("\r\n".utf8)
        }
        return Array(preamble.utf8) + parts + Array("--\(Self.boundary)--\(epilogue)".utf8)
    }

    var body: ByteBuffer { ByteBuffer(bytes: bytes) }

    static let headers: HTTPFields = [.contentType: "multipart/form-data; boundary=\"\(boundary)\""]
}
