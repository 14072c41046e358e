// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidJobs
import NereidVision

/// The native JSON of one picture's answer.
public struct PredictionDocument: Encodable, Sendable {
    /// The request's id; several pictures of one request share it.
    public let id: String
    /// The model that answered, by its name.
    public let model: String
    /// The upright picture's size in pixels.
    public let image: Size
    /// What was found, best score first.
    public let detections: [Item]
    /// Where the time went, in milliseconds.
    public let timing: Timing

    /// Width and height in pixels.
    public struct Size: Encodable, Sendable {
        let width: Int
        let height: Int
    }

    /// One detection.
    public struct Item: Encodable, Sendable {
        let label: String
        let classID: Int
        let score: Float
        let box: [Float]

        enum CodingKeys: String, CodingKey {
            case label, score, box
            case classID = "class_id"
        }
    }

    /// The stages, in milliseconds.
    public struct Timing: Encodable, Sendable {
        let queue: Double
        let decode: Double
        let inference: Double
        let postprocess: Double

        enum CodingKeys: String, CodingKey {
            case queue = "queue_ms"
            case decode = "decode_ms"
            case inference = "inference_ms"
            case postprocess = "postprocess_ms"
        }
    }

    /// Puts an answer in its words.
    public init(id: String, model: String, answer: JobAnswer) {
        self.id = id
        self.model = model
        image = Size(width: answer.size.width, height: answer.size.height)
        detections = answer.detections.map { detection in
            Item(
                label: detection.label,
                classID: detection.classID,
                score: detection.score.rounded(toMultiplesOf: 100_000),
                box: detection.box.rounded
            )
        }
        timing = Timing(
            queue: answer.timing.queue.milliseconds,
            decode: answer.timing.decode.milliseconds,
            inference: answer.timing.inference.milliseconds,
            postprocess: answer.timing.postprocessing.milliseconds
        )
    }
}

extension Float {
    /// The nearest multiple of 1/`parts`: digits beyond what means anything make answers long and differences noisy.
    func rounded(toMultiplesOf parts: Float) -> Float { (self * parts).rounded() / parts }
}

extension Box {
    /// Left, top, right, bottom to a thousandth of a pixel.
    var rounded: [Float] { [x1, y1, x2, y2].map { $0.rounded(toMultiplesOf: 1000) } }
}
