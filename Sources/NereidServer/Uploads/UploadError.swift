// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What is wrong with an upload.
enum UploadError: Error, Equatable, CustomStringConvertible {
    case empty
    case noFile
    case bodyTooLarge(limit: Int)
    case pictureTooLarge(limit: Int)
    case fieldTooLong(name: String, limit: Int)
    case memoryFull(limit: Int)
    case tooSlow(limit: Duration)
    case cutShort

    var description: String {
        switch self {
        case .empty:
            "the request has no body; send the picture's bytes, or multipart/form-data with a part called ‘file’"
        case .noFile: "the form has no part called ‘file’ that holds a picture"
        case .bodyTooLarge(let limit):
            "the request is larger than \(limit) bytes (setting max_request_bytes)"
        case .pictureTooLarge(let limit):
            "the picture is larger than \(limit) bytes (setting max_picture_bytes)"
        case .fieldTooLong(let name, let limit):
            "the form field ‘\(name)’ is longer than \(limit) bytes"
        case .memoryFull(let limit):
            "uploads hold \(limit >> 20) MiB, which is all they may (setting max_upload_memory). Try again in a moment"
        case .tooSlow(let limit):
            "the request's body did not come within \(limit.formatted) (setting request_timeout)"
        case .cutShort:
            "the request's body ends before the length that its head promised; the upload was cut short"
        }
    }
}
