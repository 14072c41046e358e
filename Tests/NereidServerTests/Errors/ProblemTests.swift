// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Hummingbird
import NereidImaging
import NereidInference
import NereidJobs
import NereidModels
import NereidVision
import Testing

@testable import NereidServer

@Suite("Problems")
struct ProblemTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let error: any Error
        let status: Int
        let code: Problem.Code
        /// What the detail must say beside what the error itself says.
        var words: [String] = []
        var retryAfter: String?
        var closes = false

        var testDescription: String { "\(type(of: error)): \(error)" }
    }

    private struct Unforeseen: Error {}

    static let samples: [Sample] = uploads + archives + models + pictures + jobs + bulk + others

    private static let uploads = [
        Sample(error: UploadError.empty, status: 400, code: .malformedUpload, words: ["no body", "‘file’"]),
        Sample(error: UploadError.noFile, status: 400, code: .malformedUpload, words: ["no part called ‘file’"]),
        Sample(
            error: UploadError.bodyTooLarge(limit: 9),
            status: 413,
            code: .uploadTooLarge,
            words: ["9 bytes", "max_request_bytes"],
            closes: true
        ),
        Sample(
            error: UploadError.pictureTooLarge(limit: 9),
            status: 413,
            code: .uploadTooLarge,
            words: ["9 bytes", "max_picture_bytes"],
            closes: true
        ),
        Sample(
            error: UploadError.fieldTooLong(name: "iou", limit: 9),
            status: 413,
            code: .uploadTooLarge,
            words: ["‘iou’", "9 bytes"],
            closes: true
        ),
        Sample(
            error: UploadError.memoryFull(limit: 5 << 20),
            status: 503,
            code: .uploadMemoryFull,
            words: ["5 MiB", "max_upload_memory", "Try again"],
            retryAfter: "1",
            closes: true
        ),
        Sample(
            error: UploadError.tooSlow(limit: .milliseconds(1500)),
            status: 408,
            code: .uploadTooSlow,
            words: ["1.5 s", "request_timeout"],
            closes: true
        ),
        Sample(error: UploadError.cutShort, status: 400, code: .malformedUpload, words: ["cut short"], closes: true),
        Sample(
            error: MultipartError.noBoundary,
            status: 400,
            code: .malformedUpload,
            words: ["boundary"],
            closes: true
        ),
        Sample(
            error: MultipartError.malformed("no colon"),
            status: 400,
            code: .malformedUpload,
            words: ["no colon"],
            closes: true
        ),
        Sample(error: MultipartError.cutShort, status: 400, code: .malformedUpload, words: ["cut short"], closes: true),
        Sample(
            error: MultipartError.tooManyParts(limit: 64),
            status: 413,
            code: .uploadTooLarge,
            words: ["64 parts", "send several requests"],
            closes: true
        ),
        Sample(
            error: MultipartError.headersTooLong(limit: 99),
            status: 413,
            code: .uploadTooLarge,
            words: ["99 bytes"],
            closes: true
        ),
    ]

    private static let archives: [Sample] = [
        (
            ArchiveError.damaged(file: nil, reason: "cut"), 400, .malformedUpload,
            ["the zip can't be read: cut", "again"]
        ),
        (.damaged(file: "a.png", reason: "CRC"), 400, .malformedUpload, ["‘a.png’", "CRC"]),
        (.encrypted(file: "a.png"), 400, .malformedUpload, ["‘a.png’", "without a password"]),
        (.unknownCompression(file: "a.png"), 400, .malformedUpload, ["‘a.png’", "deflate"]),
        (.noPicture(skipped: 0), 400, .malformedUpload, ["the zip is empty"]),
        (.noPicture(skipped: 3), 400, .malformedUpload, ["(3), none is a picture"]),
        (.tooManyFiles(limit: 9), 413, .uploadTooLarge, ["more than 9 files", "several jobs"]),
        (.directoryTooLarge(limit: 8 << 20), 413, .uploadTooLarge, ["8 MiB", "several jobs"]),
        (.tooManyPictures(limit: 9), 413, .uploadTooLarge, ["more than 9 pictures", "several jobs"]),
        (.pictureTooLarge(file: "a.png", limit: 9), 413, .uploadTooLarge, ["‘a.png’", "9 bytes", "max_picture_bytes"]),
        (.tooLarge(limit: 9), 413, .uploadTooLarge, ["9 bytes", "max_request_bytes", "several jobs"]),
        (.tooSlow(limit: .seconds(30)), 408, .uploadTooSlow, ["30 s", "request_timeout"]),
    ].map { error, status, code, words in Sample(error: error, status: status, code: code, words: words) }

    private static let bulk = [
        Sample(error: BulkError.notFound(id: "j7"), status: 404, code: .jobNotFound, words: ["‘j7’", "job_life"]),
        Sample(
            error: BulkError.full(limit: "at most 8 GiB", setting: "job_bytes"),
            status: 503,
            code: .queueFull,
            words: ["8 GiB", "job_bytes", "Try again"],
            retryAfter: "5"
        ),
        Sample(
            error: BulkError.tooLarge(bytes: 12, limit: 9),
            status: 413,
            code: .uploadTooLarge,
            words: ["12 bytes", "no more than 9", "job_bytes", "in parts"]
        ),
        Sample(
            error: BulkError.keyReused(key: "k"),
            status: 422,
            code: .idempotencyKeyReused,
            words: ["‘k’", "a key of its own"]
        ),
        Sample(
            error: BulkError.unavailable(reason: "no disk"),
            status: 503,
            code: .jobsUnavailable,
            words: ["no disk"],
            retryAfter: "5"
        ),
        Sample(
            error: WebhookAddressError.notSecure(host: "hooks.lab"),
            status: 400,
            code: .badParameter,
            words: ["‘hooks.lab’", "webhook_hosts"]
        ),
    ]

    private static let models = [
        Sample(
            error: ModelsError.notFound(name: "cod", served: ["reef"]),
            status: 404,
            code: .modelNotFound,
            words: ["‘cod’", "reef"]
        ),
        Sample(
            error: ModelsError.loading(name: "reef"),
            status: 503,
            code: .modelNotReady,
            words: ["‘reef’", "ask again"],
            retryAfter: "2"
        ),
        Sample(
            error: ModelsError.broken(name: "reef", reason: "cut short"),
            status: 503,
            code: .modelBroken,
            words: ["‘reef’", "cut short"]
        ),
        Sample(error: ModelsError.noSuchPath("/x"), status: 500, code: .modelFailed, words: ["/x"]),
        Sample(error: ModelsError.badName("a/b"), status: 500, code: .modelFailed, words: ["a/b"]),
        Sample(
            error: VisionError.unknownClass(model: "reef", name: "cod", classes: ["urchin"]),
            status: 400,
            code: .badParameter,
            words: ["‘reef’", "‘cod’", "urchin"]
        ),
        Sample(
            error: VisionError.masksTooLarge(model: "reef", objects: 12, pixels: 9, limit: 8),
            status: 422,
            code: .masksTooLarge,
            words: ["‘reef’", "12 objects", "9 pixels", "8", "max_mask_pixels", "max_detections", "confidence"]
        ),
        Sample(
            error: VisionError.unexpectedOutput(model: "reef", reason: "rows of 7"),
            status: 500,
            code: .modelFailed,
            words: ["‘reef’", "rows of 7"]
        ),
        Sample(
            error: VisionError.implausibleOutput(model: "reef", head: "yolov5", reason: "a score of 17.2"),
            status: 500,
            code: .modelFailed,
            words: ["‘reef’", "a score of 17.2"]
        ),
        Sample(
            error: InferenceError.runFailed(model: "reef", reason: "out of memory"),
            status: 500,
            code: .modelFailed,
            words: ["‘reef’", "out of memory"]
        ),
    ]

    private static let pictures = [
        Sample(error: ImagingError.notAPicture, status: 415, code: .notAPicture, words: ["JPEG, PNG"]),
        Sample(
            error: ImagingError.foreign(.init(found: "JSON", advice: "Send the picture.")),
            status: 415,
            code: .notAPicture,
            words: ["JSON", "Send the picture.", "JPEG, PNG"]
        ),
        Sample(
            error: ContentCodingError.unsupported("br"),
            status: 415,
            code: .unsupportedEncoding,
            words: ["‘br’", "gzip, deflate"],
            closes: true
        ),
        Sample(
            error: ContentCodingError.damaged(.gzip, reason: "incorrect header check"),
            status: 400,
            code: .malformedUpload,
            words: ["gzip", "incorrect header check"],
            closes: true
        ),
        Sample(
            error: ContentCodingError.cutShort(.deflate),
            status: 400,
            code: .malformedUpload,
            words: ["deflate", "cut short"],
            closes: true
        ),
        Sample(
            error: ImagingError.unsupportedKind("BMP with 4 bits"),
            status: 415,
            code: .unsupportedPicture,
            words: ["BMP with 4 bits", "Convert"]
        ),
        Sample(
            error: ImagingError.damaged(.png, reason: "cut short"),
            status: 422,
            code: .damagedPicture,
            words: ["PNG", "cut short"]
        ),
        Sample(
            error: ImagingError.tooLarge(.side, value: 9, limit: 8),
            status: 413,
            code: .pictureTooLarge,
            words: ["9 pixels", "8", "max_picture_side"]
        ),
        Sample(
            error: ImagingError.timedOut(limit: .seconds(1)),
            status: 422,
            code: .pictureTooSlow,
            words: ["decode_timeout"]
        ),
        Sample(
            error: ImagingError.tooLarge(.memory, value: 9, limit: 8),
            status: 413,
            code: .pictureTooLarge,
            words: ["9 bytes", "8", "decode_memory"]
        ),
        Sample(
            error: ImagingError.tooLarge(.pixelsAtOnce, value: 9, limit: 8),
            status: 413,
            code: .pictureTooLarge,
            words: ["9 pixels", "8", "max_picture_pixels", "WebP"]
        ),
        Sample(error: ImagingError.deadlinePassed, status: 504, code: .deadlinePassed, words: ["deadline"]),
        Sample(error: ImagingError.cancelled, status: 499, code: .clientGone, words: ["cancelled"]),
        Sample(error: ImagingError.poolIsShutDown, status: 500, code: .internalError, words: ["stopped"]),
    ]

    private static let jobs = [
        Sample(
            error: JobError.queueFull(model: "reef", limit: "at most 64 may wait", setting: "queue_jobs"),
            status: 503,
            code: .queueFull,
            words: ["‘reef’", "64", "queue_jobs", "Try again"],
            retryAfter: "1"
        ),
        Sample(
            error: JobError.deadlinePassed(model: "reef", hadBegun: false),
            status: 504,
            code: .deadlinePassed,
            words: ["‘reef’", "request_timeout"]
        ),
        Sample(
            error: JobError.queueUnreachable(reason: "no route"),
            status: 503,
            code: .queueUnreachable,
            words: ["no route"],
            retryAfter: "2"
        ),
        Sample(
            error: JobError.workerFailed(model: "reef", reason: "no disk"),
            status: 500,
            code: .modelFailed,
            words: ["‘reef’", "no disk"]
        ),
        Sample(
            error: JobError.unusableAnswer(model: "reef", reason: "it has 3 boxes"),
            status: 502,
            code: .answerUnusable,
            words: ["‘reef’", "3 boxes", "Redis"]
        ),
        Sample(
            error: RedisError.refused("OOM command not allowed when used memory > 'maxmemory'."),
            status: 503,
            code: .queueFull,
            words: ["maxmemory"],
            retryAfter: "2"
        ),
        Sample(error: RedisError.closed, status: 503, code: .queueUnreachable, words: ["closed"], retryAfter: "2"),
        Sample(
            error: JobError.abandoned(model: "reef", deliveries: 3),
            status: 500,
            code: .modelFailed,
            words: ["‘reef’", "3 workers", "nereid queue dead"]
        ),
        Sample(
            error: JobError.notLoadedHere(model: "reef"),
            status: 500,
            code: .internalError,
            words: ["‘reef’", "not loaded"]
        ),
        Sample(error: CancellationError(), status: 499, code: .clientGone, words: ["client"]),
    ]

    private static let others = [
        Sample(
            error: HTTPError(.notFound),
            status: 404,
            code: .notFound,
            words: ["/v1/models/{model}/jobs", "/v1/jobs", "/health/ready"]
        ),
        Sample(error: HTTPError(.badRequest, message: "no"), status: 400, code: .badRequest, words: ["no"]),
        Sample(error: HTTPError(.badGateway), status: 502, code: .internalError, words: ["Bad Gateway"]),
        Sample(error: Unforeseen(), status: 500, code: .internalError, words: ["log", "request's id"]),
        Sample(
            error: Problem(status: .badRequest, code: .badParameter, detail: "as it is"),
            status: 400,
            code: .badParameter,
            words: ["as it is"]
        ),
    ]

    @Test("have a status, a code and words that help, for every error there is", arguments: samples)
    func mapping(sample: Sample) {
        let problem = Problem(sample.error)
        #expect(problem.status.code == sample.status)
        #expect(problem.code == sample.code)
        for word in sample.words { #expect(problem.detail.contains(word), "\(problem.detail)") }
        #expect(problem.headers[.retryAfter] == sample.retryAfter)
        #expect(problem.headers[.connection] == (sample.closes ? "close" : nil))
        #expect(problem.closesConnection == sample.closes)
    }

    @Test("are written as RFC 9457 says", arguments: Problem.Code.allCases)
    func body(code: Problem.Code) {
        let problem = Problem(status: .badRequest, code: code, detail: "what happened")
        #expect(problem.body.type == "urn:nereid:problem:\(code.rawValue)")
        #expect((problem.body.status, problem.body.detail, problem.body.code) == (400, "what happened", code.rawValue))
        #expect(!problem.body.title.isEmpty)
        #expect(problem.response.headers[.contentType] == "application/problem+json")
    }

    @Test("ask to wait for whole seconds, at least one")
    func retryAfter() {
        for (wait, expected) in [(Duration.milliseconds(10), "1"), (.milliseconds(1500), "2"), (.seconds(3), "3")] {
            let problem = Problem(status: .serviceUnavailable, code: .queueFull, detail: "", retryAfter: wait)
            #expect(problem.headers[.retryAfter] == expected)
        }
    }
}
