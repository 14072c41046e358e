// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOFoundationCompat
import NIOPosix
import NereidImaging
import NereidVision

/// The answer to a job as JSON, as it stands in a stream of answers; docs/queue.md describes it.
struct AnswerMessage: Codable, Sendable {
    private var task: String?
    private var image: PixelSize?
    private var taken: String?
    private var detections: [DetectionMessage]?
    private var classifications: [ClassificationMessage]?
    private var timing: TimingMessage?
    private var error: FailureMessage?

    private enum CodingKeys: String, CodingKey {
        case task, image, taken, detections, classifications, timing, error
    }

    init(_ answer: JobAnswer) {
        task = answer.task.rawValue
        image = answer.size
        taken = answer.taken?.description
        detections = answer.detections.map(DetectionMessage.init)
        classifications = answer.classifications.isEmpty ? nil : answer.classifications.map(ClassificationMessage.init)
        timing = TimingMessage(answer.timing)
    }

    init(_ failure: FailureMessage) {
        error = failure
    }

    /// - Throws: what JSON can't hold: numbers that are not finite.
    func json() throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return ByteBuffer(data: try encoder.encode(self))
    }

    init(json: ByteBuffer) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(buffer: json))
    }

    /// Reads what a worker, of any language, has stored. What is large is read on a thread that may be held up.
    ///
    /// - Throws: as ``answer(from:within:)``.
    static func read(_ json: ByteBuffer, from model: String, within bounds: AnswerBounds) async throws -> JobAnswer {
        let read = { @Sendable in try AnswerMessage.answer(in: json, from: model, within: bounds) }
        return json.readableBytes <= 64 << 10 ? try read() : try await NIOThreadPool.singleton.runIfActive(read)
    }

    /// Reads what a worker, of any language, has stored. Takes up to seconds for the largest that is read at all.
    ///
    /// - Throws: as ``answer(from:within:)``.
    static func answer(in json: ByteBuffer, from model: String, within bounds: AnswerBounds) throws -> JobAnswer {
        if let obstacle = AnswerBounds.obstacle(to: json) {
            throw JobError.unusableAnswer(model: model, reason: obstacle)
        }
        let message: AnswerMessage
        do {
            message = try AnswerMessage(json: json)
        } catch {
            let reason = "it is not the JSON of docs/queue.md: \("\(error)".prefix(AnswerBounds.reasonLength))"
            throw JobError.unusableAnswer(model: model, reason: reason)
        }
        return try message.answer(from: model, within: bounds)
    }

    /// The answer.
    ///
    /// - Throws: the error that the worker answered with, or ``JobError/unusableAnswer(model:reason:)`` when what it sent makes no
    ///   answer to a request within the bounds.
    func answer(from model: String, within bounds: AnswerBounds = .init()) throws -> JobAnswer {
        if let error { throw error.error(from: model) }
        func unusable(_ reason: String) -> JobError { .unusableAnswer(model: model, reason: reason) }
        guard let task = task.flatMap(VisionTask.init), let image, image.width > 0, image.height > 0 else {
            throw unusable("it has no task or no image size")
        }
        guard bounds.contains(image) else {
            throw unusable(
                "it is of a picture of \(image), larger than any that is taken (settings max_picture_side, max_picture_pixels)"
            )
        }
        let (found, classes) = (detections ?? [], classifications ?? [])
        guard found.count <= bounds.detections else {
            throw unusable("it has \(found.count) detections, where at most \(bounds.detections) were asked for")
        }
        guard classes.count <= bounds.classifications else {
            throw unusable("it has \(classes.count) classes, where at most \(bounds.classifications) were asked for")
        }
        guard classes.allSatisfy(\.isPlausible) else { throw unusable("one of its classes can't be read") }
        var pieces = 0
        let detections = try found.map { message in
            guard message.isPlausible(in: image) else { throw unusable("one of its detections can't be read") }
            pieces += message.columnPieces(of: image.height)
            guard pieces <= AnswerBounds.columnPieces else { throw unusable("its masks are too large together") }
            guard let detection = message.detection(in: image) else {
                throw unusable("one of its detections can't be read")
            }
            return detection
        }
        return JobAnswer(
            task: task,
            detections: detections,
            classifications: classes.map(\.classification),
            size: image,
            // A time that can't be read is worth no error.
            taken: taken.flatMap(CaptureTime.init),
            picture: nil,
            timing: timing?.timing ?? JobTiming(queue: .zero, decode: .zero, inference: .zero, postprocessing: .zero)
        )
    }
}

private struct DetectionMessage: Codable, Sendable {
    var classID: Int
    var label: String
    var score: Float
    /// Left, top, right, bottom.
    var box: [Float]
    /// The runs of pixels outside, inside, outside, … down the columns.
    var mask: [UInt32]?
    /// For each point x, y and, if the model says, its score.
    var keypoints: [[Float]]?
    /// Centre x, centre y, width, height, angle.
    var rotation: [Float]?

    private enum CodingKeys: String, CodingKey {
        case classID = "class_id"
        case label, score, box, mask, keypoints, rotation
    }

    init(_ detection: Detection) {
        classID = detection.classID
        label = detection.label
        score = detection.score
        box = [detection.box.x1, detection.box.y1, detection.box.x2, detection.box.y2]
        mask = detection.mask?.counts
        keypoints = detection.keypoints?.map { [$0.x, $0.y] + ($0.score.map { [$0] } ?? []) }
        rotation = detection.rotation.map { [$0.centre.x, $0.centre.y, $0.width, $0.height, $0.angle] }
    }

    /// Whether everything is such as a model may say of a picture of this size. Nothing is expanded for that.
    func isPlausible(in size: PixelSize) -> Bool {
        guard (0...AnswerBounds.classID).contains(classID), label.utf8.count <= AnswerBounds.labelBytes,
            (0...1.001).contains(score), box.count == 4, size.mayHold(x: box[0], y: box[1]),
            size.mayHold(x: box[2], y: box[3]), (mask?.count ?? 0) <= size.width * size.height + 2,
            (keypoints?.count ?? 0) <= AnswerBounds.keypoints
        else { return false }
        let arePointsPlausible = keypoints?.allSatisfy { point in
            (point.count == 2 || point.count == 3) && size.mayHold(x: point[0], y: point[1])
                && (point.count == 2 || (-0.001...1.001).contains(point[2]))
        }
        guard arePointsPlausible ?? true else { return false }
        guard let rotation else { return true }
        // A box that is turned may be as long as the way across the picture, and a model may see beyond that.
        let longest = 2 * Float(size.width + size.height)
        return rotation.count == 5 && size.mayHold(x: rotation[0], y: rotation[1])
            && (0...longest).contains(rotation[2]) && (0...longest).contains(rotation[3])
            && (-100...100).contains(rotation[4])
    }

    /// In how many pieces the runs inside are cut by the ends of columns, at most.
    func columnPieces(of height: Int) -> Int {
        guard let mask else { return 0 }
        return stride(from: 1, to: mask.count, by: 2).reduce(mask.count) { $0 + Int(mask[$1]) / height + 2 }
    }

    /// `nil` when the runs are not those of a picture of this size.
    func detection(in size: PixelSize) -> Detection? {
        let mask = mask.map { Mask(size: size, counts: $0) }
        if case .some(nil) = mask { return nil }
        return Detection(
            box: Box(x1: box[0], y1: box[1], x2: box[2], y2: box[3]),
            score: score,
            classID: classID,
            label: label,
            mask: mask ?? nil,
            keypoints: keypoints?.map { Keypoint(x: $0[0], y: $0[1], score: $0.count == 3 ? $0[2] : nil) },
            rotation: rotation.map {
                RotatedBox(centre: Point(x: $0[0], y: $0[1]), width: $0[2], height: $0[3], angle: $0[4])
            }
        )
    }
}

private struct ClassificationMessage: Codable, Sendable {
    var classID: Int
    var label: String
    var score: Float

    private enum CodingKeys: String, CodingKey {
        case classID = "class_id"
        case label, score
    }

    init(_ classification: Classification) {
        (classID, label, score) = (classification.classID, classification.label, classification.score)
    }

    var isPlausible: Bool {
        (0...AnswerBounds.classID).contains(classID) && label.utf8.count <= AnswerBounds.labelBytes
            && (0...1.001).contains(score)
    }

    var classification: Classification { Classification(classID: classID, label: label, score: score) }
}

/// In milliseconds.
private struct TimingMessage: Codable, Sendable {
    var queue: Double
    var decode: Double
    var inference: Double
    var postprocessing: Double

    private enum CodingKeys: String, CodingKey {
        case queue = "queue_ms"
        case decode = "decode_ms"
        case inference = "inference_ms"
        case postprocessing = "postprocess_ms"
    }

    init(_ timing: JobTiming) {
        queue = timing.queue.inMilliseconds
        decode = timing.decode.inMilliseconds
        inference = timing.inference.inMilliseconds
        postprocessing = timing.postprocessing.inMilliseconds
    }

    /// What is no time at all counts as none.
    var timing: JobTiming {
        func duration(_ milliseconds: Double) -> Duration {
            .milliseconds(milliseconds.isFinite ? min(max(0, milliseconds), 1e9) : 0)
        }
        return JobTiming(
            queue: duration(queue),
            decode: duration(decode),
            inference: duration(inference),
            postprocessing: duration(postprocessing)
        )
    }
}
