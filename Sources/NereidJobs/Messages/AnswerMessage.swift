// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOFoundationCompat
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

    /// What a worker, of any language, has stored; what is no answer reads as one that says so.
    init(stored bytes: ByteBuffer) {
        do {
            try self.init(json: bytes)
        } catch {
            self.init(.failed("its answer is not the JSON of docs/queue.md: \(error)"))
        }
    }

    /// The answer.
    ///
    /// - Throws: the error that the worker answered with, or ``JobError/workerFailed(model:reason:)`` when what it sent makes no
    ///   answer.
    func answer(from model: String) throws -> JobAnswer {
        if let error { throw error.error(from: model) }
        guard let task = task.flatMap(VisionTask.init), let image, image.width > 0, image.height > 0 else {
            throw JobError.workerFailed(model: model, reason: "its answer has no task or no image size")
        }
        let detections = try (detections ?? []).map { message in
            guard let detection = message.detection(in: image) else {
                throw JobError.workerFailed(model: model, reason: "a detection of its answer can't be read")
            }
            return detection
        }
        return JobAnswer(
            task: task,
            detections: detections,
            classifications: (classifications ?? []).map(\.classification),
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

    func detection(in size: PixelSize) -> Detection? {
        guard box.count == 4, rotation.map({ $0.count == 5 }) ?? true,
            keypoints?.allSatisfy({ $0.count == 2 || $0.count == 3 }) ?? true
        else { return nil }
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
