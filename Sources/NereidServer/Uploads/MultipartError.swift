// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What is wrong with a multipart body.
enum MultipartError: Error, Equatable, CustomStringConvertible {
    case noBoundary
    case malformed(String)
    case tooManyParts(limit: Int)
    case headersTooLong(limit: Int)
    case cutShort

    var description: String {
        switch self {
        case .noBoundary: "the Content-Type multipart/form-data names no boundary of 1 to 70 characters"
        case .malformed(let what): "the multipart body is malformed: \(what)"
        case .tooManyParts(let limit): "the multipart body has more than \(limit) parts; send several requests"
        case .headersTooLong(let limit): "a part's headers are longer than \(limit) bytes"
        case .cutShort: "the multipart body ends before its last boundary; the upload was cut short"
        }
    }
}
