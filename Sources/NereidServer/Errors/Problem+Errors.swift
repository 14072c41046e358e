// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird
import NIOHTTP2
import NereidImaging
import NereidInference
import NereidJobs
import NereidModels
import NereidVision

extension Problem {
    /// The one place where errors of all rooms become HTTP.
    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as UploadError: self.init(error)
        case let error as MultipartError:
            let isTooMuch =
                switch error {
                case .tooManyParts, .headersTooLong: true
                default: false
                }
            self.init(
                status: isTooMuch ? .contentTooLarge : .badRequest,
                code: isTooMuch ? .uploadTooLarge : .malformedUpload,
                detail: error.description,
                closesConnection: true
            )
        case let error as ContentCodingError: self.init(error)
        case let error as ImagingError: self.init(error)
        case let error as ModelsError: self.init(error)
        case let error as VisionError: self.init(error)
        case let error as JobError: self.init(error)
        case let error as BulkError: self.init(error)
        case let error as RedisError: self.init(error)
        case let error as ArchiveError: self.init(error)
        case let error as WebhookAddressError:
            self.init(status: .badRequest, code: .badParameter, detail: error.description)
        case let error as InferenceError:
            self.init(status: .internalServerError, code: .modelFailed, detail: error.description)
        case is CancellationError:
            self.init(
                status: .init(code: 499, reasonPhrase: "Client Closed Request"),
                code: .clientGone,
                detail: "the client closed the connection before the answer was there"
            )
        case let error as NIOHTTP2Errors.StreamClosed where error.errorCode == .cancel || error.errorCode == .noError:
            self.init(CancellationError())
        case let error as any NIOHTTP2Error:
            self.init(
                status: .badRequest,
                code: .malformedUpload,
                detail: error is NIOHTTP2Errors.ContentLengthViolated
                    ? "the request's body is not as long as its Content-Length says; send both anew"
                    : "the request broke the rules of HTTP/2: \(error)",
                closesConnection: true
            )
        case let error as HTTPError where error.status == .notFound:
            self.init(
                status: .notFound,
                code: .notFound,
                detail:
                    "there is nothing at this path. Paths: /, /v1/models, /v1/models/{model}/predict, "
                    + "/v1/models/{model}/jobs, /v1/jobs, /predictor, /predict, /health/live, /health/ready, /metrics"
            )
        case let error as HTTPError:
            self.init(
                status: error.status,
                code: error.status.kind == .serverError ? .internalError : .badRequest,
                detail: error.body ?? error.status.reasonPhrase
            )
        default:
            self.init(
                status: .internalServerError,
                code: .internalError,
                detail: "an error that should not happen; the server's log has it under this request's id"
            )
        }
    }

    private init(_ error: UploadError) {
        switch error {
        case .empty, .noFile:
            self.init(status: .badRequest, code: .malformedUpload, detail: error.description)
        case .bodyTooLarge, .pictureTooLarge, .fieldTooLong:
            self.init(
                status: .contentTooLarge,
                code: .uploadTooLarge,
                detail: error.description,
                closesConnection: true
            )
        case .cutShort:
            self.init(
                status: .badRequest,
                code: .malformedUpload,
                detail: error.description,
                closesConnection: true
            )
        case .memoryFull:
            self.init(
                status: .serviceUnavailable,
                code: .uploadMemoryFull,
                detail: error.description,
                retryAfter: .seconds(1),
                closesConnection: true
            )
        case .tooSlow:
            self.init(
                status: .requestTimeout,
                code: .uploadTooSlow,
                detail: error.description,
                closesConnection: true
            )
        }
    }

    private init(_ error: ContentCodingError) {
        if case .unsupported = error {
            self.init(
                status: .unsupportedMediaType,
                code: .unsupportedEncoding,
                detail: error.description,
                fields: [.acceptEncoding: ContentCoding.accepted],
                closesConnection: true
            )
        } else {
            self.init(status: .badRequest, code: .malformedUpload, detail: error.description, closesConnection: true)
        }
    }

    private init(_ error: ModelsError) {
        switch error {
        case .notFound:
            self.init(status: .notFound, code: .modelNotFound, detail: error.description)
        case .broken:
            self.init(status: .serviceUnavailable, code: .modelBroken, detail: error.description)
        case .loading:
            self.init(
                status: .serviceUnavailable,
                code: .modelNotReady,
                detail: error.description,
                retryAfter: .seconds(2)
            )
        case .noSuchPath, .unsupportedFile, .notAModel, .unusableGraph, .badName, .settings, .configuration, .nameTaken:
            self.init(status: .internalServerError, code: .modelFailed, detail: error.description)
        }
    }

    private init(_ error: VisionError) {
        switch error {
        case .unknownClass:
            self.init(status: .badRequest, code: .badParameter, detail: error.description)
        case .masksTooLarge:
            self.init(status: .unprocessableContent, code: .masksTooLarge, detail: error.description)
        default:
            self.init(status: .internalServerError, code: .modelFailed, detail: error.description)
        }
    }

    private init(_ error: JobError) {
        switch error {
        case .queueFull:
            self.init(
                status: .serviceUnavailable,
                code: .queueFull,
                detail: error.description,
                retryAfter: .seconds(1)
            )
        case .deadlinePassed:
            self.init(status: .gatewayTimeout, code: .deadlinePassed, detail: error.description)
        case .queueUnreachable:
            self.init(
                status: .serviceUnavailable,
                code: .queueUnreachable,
                detail: error.description,
                retryAfter: .seconds(2)
            )
        case .unusableAnswer:
            self.init(status: .badGateway, code: .answerUnusable, detail: error.description)
        case .workerFailed, .abandoned:
            self.init(status: .internalServerError, code: .modelFailed, detail: error.description)
        case .notLoadedHere:
            self.init(status: .internalServerError, code: .internalError, detail: error.description)
        }
    }
}

extension Problem {
    private init(_ error: ImagingError) {
        let (status, code): (HTTPResponse.Status, Code) =
            switch error {
            case .notAPicture, .emptyFile, .foreign: (.unsupportedMediaType, .notAPicture)
            case .unsupportedKind: (.unsupportedMediaType, .unsupportedPicture)
            case .damaged: (.unprocessableContent, .damagedPicture)
            case .tooLarge: (.contentTooLarge, .pictureTooLarge)
            case .timedOut: (.unprocessableContent, .pictureTooSlow)
            case .deadlinePassed: (.gatewayTimeout, .deadlinePassed)
            case .cancelled: (.init(code: 499, reasonPhrase: "Client Closed Request"), .clientGone)
            default: (.internalServerError, .internalError)
            }
        self.init(status: status, code: code, detail: error.description)
    }
}

extension Problem {
    private init(_ error: BulkError) {
        switch error {
        case .notFound:
            self.init(status: .notFound, code: .jobNotFound, detail: error.description)
        case .full:
            self.init(
                status: .serviceUnavailable,
                code: .queueFull,
                detail: error.description,
                retryAfter: .seconds(5)
            )
        case .tooLarge:
            self.init(status: .contentTooLarge, code: .uploadTooLarge, detail: error.description)
        case .keyReused:
            self.init(status: .unprocessableContent, code: .idempotencyKeyReused, detail: error.description)
        case .unavailable, .damaged:
            self.init(
                status: .serviceUnavailable,
                code: .jobsUnavailable,
                detail: error.description,
                retryAfter: .seconds(5)
            )
        case .noSpace:
            self.init(
                status: .serviceUnavailable,
                code: .diskFull,
                detail: error.description,
                retryAfter: .seconds(60)
            )
        }
    }

    /// Most of these are given other words where they happen.
    private init(_ error: RedisError) {
        self.init(
            status: .serviceUnavailable,
            code: error.isFull ? .queueFull : .queueUnreachable,
            detail: error.description,
            retryAfter: .seconds(2)
        )
    }

    private init(_ error: ArchiveError) {
        switch error {
        case .damaged, .encrypted, .unknownCompression, .overlapping, .noPicture:
            self.init(status: .badRequest, code: .malformedUpload, detail: error.description)
        case .tooManyFiles, .directoryTooLarge, .tooManyPictures, .pictureTooLarge, .tooLarge:
            self.init(status: .contentTooLarge, code: .uploadTooLarge, detail: error.description)
        case .tooSlow:
            self.init(status: .requestTimeout, code: .uploadTooSlow, detail: error.description)
        }
    }
}
