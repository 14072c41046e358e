// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidVision

/// Why a job has no answer, as JSON: a word that programs may rely on, and what happened in words. What the requester's own
/// message needs beside stands in fields of their own; workers in other languages may leave them out.
struct FailureMessage: Codable, Sendable, Hashable {
    var code: Code
    var detail: String
    private var kind: String?
    private var advice: String?
    private var format: PictureFormat?
    private var measure: String?
    private var value: Int?
    private var limit: Int?

    enum Code: String, Codable, Sendable {
        case notAPicture = "not_a_picture"
        case unsupportedPicture = "unsupported_picture"
        case damagedPicture = "damaged_picture"
        case pictureTooLarge = "picture_too_large"
        case pictureTooSlow = "picture_too_slow"
        case deadlinePassed = "deadline_passed"
        case masksTooLarge = "masks_too_large"
        case abandoned
        case failed

        /// Words of later versions and of other workers mean no more than that it failed.
        init(from decoder: any Decoder) throws {
            let word = try decoder.singleValueContainer().decode(String.self)
            self = Self(rawValue: word) ?? .failed
        }
    }

    /// The kind of what is no picture because it has no bytes.
    private static let empty = "empty"

    private init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Something that is neither the picture's fault nor a matter of time.
    static func failed(_ detail: String) -> FailureMessage { FailureMessage(.failed, detail) }

    init(_ error: any Error) {
        self.init(.failed, "\(error)")
        switch error {
        case let error as ImagingError: describe(error)
        case JobError.deadlinePassed: code = .deadlinePassed
        // The reader puts the same words before the reason again.
        case JobError.workerFailed(_, let reason): detail = reason
        case JobError.abandoned(_, let deliveries): (code, value) = (.abandoned, deliveries)
        case is CancellationError: detail = "it was stopped"
        case VisionError.masksTooLarge(_, let objects, let pixels, let limit):
            (code, self.limit, value, kind) = (.masksTooLarge, limit, pixels, "\(objects)")
        default: break
        }
    }

    private mutating func describe(_ error: ImagingError) {
        switch error {
        case .notAPicture:
            code = .notAPicture
        case .emptyFile:
            (code, kind) = (.notAPicture, Self.empty)
        case .foreign(let content):
            (code, kind, advice) = (.notAPicture, content.found, content.advice)
        case .unsupportedKind(let kind):
            (code, self.kind) = (.unsupportedPicture, kind)
        case .damaged(let format, let reason):
            (code, self.format, kind) = (.damagedPicture, format, reason)
        case .tooLarge(let measure, let value, let limit):
            (code, self.measure, self.value, self.limit) = (.pictureTooLarge, measure.rawValue, value, limit)
        case .timedOut(let limit):
            (code, self.limit) = (.pictureTooSlow, limit.milliseconds)
        case .deadlinePassed:
            code = .deadlinePassed
        case .cancelled:
            detail = "it was stopped"
        case .wrongPixelCount, .wrongPictureSize, .destinationTooSmall, .encodingFailed, .textFailed, .poolIsShutDown:
            break
        }
    }

    /// The error that it was made of, as near as it can be told. Words of whoever wrote it are cut to a length that can be read.
    func error(from model: String) -> any Error {
        func cut(_ text: String) -> String { String(text.prefix(AnswerBounds.reasonLength)) }
        let (detail, kind) = (cut(detail), kind.map(cut))
        switch code {
        case .notAPicture:
            guard let kind else { return ImagingError.notAPicture }
            if kind == Self.empty { return ImagingError.emptyFile }
            return ImagingError.foreign(ForeignContent(found: kind, advice: advice ?? ""))
        case .unsupportedPicture: return ImagingError.unsupportedKind(kind ?? detail)
        case .damagedPicture: return ImagingError.damaged(format ?? .jpeg, reason: kind ?? detail)
        case .pictureTooLarge:
            if let measure = measure.flatMap(ImagingError.Measure.init), let value, let limit {
                return ImagingError.tooLarge(measure, value: value, limit: limit)
            }
            return JobError.workerFailed(model: model, reason: detail)
        case .pictureTooSlow:
            if let limit { return ImagingError.timedOut(limit: .milliseconds(limit)) }
            return JobError.workerFailed(model: model, reason: detail)
        case .deadlinePassed: return JobError.deadlinePassed(model: model, hadBegun: false)
        case .masksTooLarge:
            guard let objects = kind.flatMap({ Int($0) }), let value, let limit else {
                return JobError.workerFailed(model: model, reason: detail)
            }
            return VisionError.masksTooLarge(model: model, objects: objects, pixels: value, limit: limit)
        case .abandoned: return JobError.abandoned(model: model, deliveries: max(0, value ?? 0))
        case .failed: return JobError.workerFailed(model: model, reason: detail)
        }
    }
}
