// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import NIOHTTP1

/// How a request's body was encoded as a whole (RFC 9110, section 8.4).
enum ContentCoding: String, CaseIterable {
    case gzip
    case deflate

    /// Reads the header `Content-Encoding`; `nil` when the body is as it is.
    ///
    /// - Throws: ``ContentCodingError/unsupported(_:)``, also for a body that was encoded more than once.
    init?(_ headers: HTTPFields) throws(ContentCodingError) {
        let value = headers[values: .contentEncoding].joined(separator: ",")
        let words = value.split { ", \t".contains($0) }.map { $0.lowercased() }.filter { $0 != "identity" }
        switch words {
        case []: return nil
        case ["gzip"], ["x-gzip"]: self = .gzip
        case ["deflate"]: self = .deflate
        default: throw .unsupported(String(value.prefix(100)))
        }
    }

    /// What a client may use, for the header `Accept-Encoding`.
    static let accepted = allCases.map(\.rawValue).joined(separator: ", ")
}

/// What is wrong with an encoded body.
enum ContentCodingError: Error, Equatable, CustomStringConvertible {
    case unsupported(String)
    case damaged(ContentCoding, reason: String)
    case cutShort(ContentCoding)

    var description: String {
        switch self {
        case .unsupported(let value):
            "the header Content-Encoding says ‘\(value)’, which is not decoded here; "
                + "send the body as it is, or encoded once with one of: \(ContentCoding.accepted)"
        case .damaged(let coding, let reason):
            "the body can't be decoded as \(coding.rawValue), which its header Content-Encoding says: \(reason); "
                + "send it as it is, without that header"
        case .cutShort(let coding):
            "the body ends before its \(coding.rawValue) data does; the upload was cut short"
        }
    }
}
