// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import HTTPTypes
import Hummingbird
import NIOCore

/// An error as a client sees it: `application/problem+json`, RFC 9457, with a stable `code` beside it.
struct Problem: Error, Sendable, Equatable {
    let status: HTTPResponse.Status
    /// A word that programs may rely on.
    let code: Code
    /// What happened, to what, and what to do.
    let detail: String
    /// When to try again.
    var retryAfter: Duration?
    /// Headers that this error needs beside: `Allow`, `Accept-Encoding`.
    var fields: HTTPFields = [:]
    /// Whether the rest of the request is not worth reading, so that the connection is to be closed.
    var closesConnection = false

    /// Every code, with the title that goes with it.
    enum Code: String, Sendable, CaseIterable {
        case badRequest = "bad_request"
        case badParameter = "bad_parameter"
        case malformedUpload = "malformed_upload"
        case hostNotServed = "host_not_served"
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case modelNotFound = "model_not_found"
        case jobNotFound = "job_not_found"
        case modelNotReady = "model_not_ready"
        case modelBroken = "model_broken"
        case uploadTooLarge = "upload_too_large"
        case uploadTooSlow = "upload_too_slow"
        case uploadMemoryFull = "upload_memory_full"
        case unsupportedEncoding = "unsupported_encoding"
        case notAPicture = "not_a_picture"
        case unsupportedPicture = "unsupported_picture"
        case damagedPicture = "damaged_picture"
        case pictureTooLarge = "picture_too_large"
        case pictureTooSlow = "picture_too_slow"
        case tooManyConnections = "too_many_connections"
        case queueFull = "queue_full"
        case queueUnreachable = "queue_unreachable"
        case jobsUnavailable = "jobs_unavailable"
        case diskFull = "disk_full"
        case tooManyReaders = "too_many_readers"
        case idempotencyKeyReused = "idempotency_key_reused"
        case masksTooLarge = "masks_too_large"
        case deadlinePassed = "deadline_passed"
        case clientGone = "client_gone"
        case modelFailed = "model_failed"
        case answerUnusable = "answer_unusable"
        case internalError = "internal_error"

        var title: String {
            switch self {
            case .badRequest: "The request can't be understood"
            case .badParameter: "A parameter can't be used"
            case .malformedUpload: "The upload is malformed"
            case .hostNotServed: "Not a host of this server"
            case .notFound: "There is nothing here"
            case .methodNotAllowed: "The path has no such method"
            case .modelNotFound: "No such model"
            case .jobNotFound: "No such job"
            case .modelNotReady: "The model can't answer yet"
            case .modelBroken: "The model's file can't be served"
            case .uploadTooLarge: "The upload is too large"
            case .uploadTooSlow: "The upload did not come in time"
            case .uploadMemoryFull: "Too many uploads at one time"
            case .unsupportedEncoding: "An encoding that is not supported"
            case .notAPicture: "Not a picture"
            case .unsupportedPicture: "A kind of picture that is not supported"
            case .damagedPicture: "The picture is damaged"
            case .pictureTooLarge: "The picture is too large"
            case .pictureTooSlow: "The picture takes too long to decode"
            case .tooManyConnections: "Too many connections"
            case .queueFull: "Too many pictures are waiting"
            case .queueUnreachable: "The queue can't be reached"
            case .jobsUnavailable: "Jobs can't be kept"
            case .diskFull: "The disk has no room for jobs"
            case .tooManyReaders: "Too many results are being read"
            case .idempotencyKeyReused: "The key belongs to another order"
            case .masksTooLarge: "The masks have too many pixels"
            case .deadlinePassed: "The deadline has passed"
            case .clientGone: "The client has gone"
            case .modelFailed: "The model failed"
            case .answerUnusable: "The worker's answer can't be used"
            case .internalError: "Something is wrong in the server"
            }
        }
    }

    /// The JSON that is sent.
    struct Body: Encodable {
        let type: String
        let title: String
        let status: Int
        let detail: String
        let code: String
    }

    var body: Body {
        Body(
            type: "urn:nereid:problem:\(code.rawValue)",
            title: code.title,
            status: Int(status.code),
            detail: detail,
            code: code.rawValue
        )
    }

    /// Headers that go with it whatever the body's format.
    var headers: HTTPFields {
        var headers = fields
        if let retryAfter {
            headers[.retryAfter] = String(max(1, Int((retryAfter / .seconds(1)).rounded(.up))))
        }
        if closesConnection { headers[.connection] = "close" }
        return headers
    }

    /// The answer.
    var response: Response {
        var response = Response(json: body, status: status, contentType: "application/problem+json")
        response.headers.append(contentsOf: headers)
        return response
    }
}
