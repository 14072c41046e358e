// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
public import NereidJobs
import NereidVision

/// The native JSON of one picture's answer.
public struct PredictionDocument: Encodable, Sendable {
    /// The request's id; several pictures of one request share it.
    public let id: String
    /// The model that answered, by its name.
    public let model: String
    /// The upright picture's size in pixels, and when it was taken.
    public let image: Size
    /// What the model does.
    public let task: String
    /// What was found, best score first.
    public let detections: [Item]
    /// What the whole picture shows, best score first; absent but for models that classify.
    public let classifications: [ClassItem]?
    /// Where the time went, in milliseconds.
    public let timing: Timing

    /// Width and height in pixels; the time of ISO 8601 if the picture's file has it.
    public struct Size: Encodable, Sendable {
        let width: Int
        let height: Int
        let taken: String?
    }

    /// One detection; the last four are there when the model's task gives them.
    public struct Item: Encodable, Sendable {
        let label: String
        let classID: Int
        let score: Float
        let box: [Float]
        let mask: MaskItem?
        let polygons: [[Float]]?
        let keypoints: [[Float]]?
        let rotatedBox: RotatedBoxItem?

        enum CodingKeys: String, CodingKey {
            case label, score, box, mask, polygons, keypoints
            case classID = "class_id"
            case rotatedBox = "rotated_box"
        }
    }

    /// The pixels of an object as COCO's compressed run lengths: `size` is height and width, as there. `area` is their number.
    struct MaskItem: Encodable, Sendable {
        let area: Int
        let size: [Int]
        let counts: String
    }

    /// A box that may be turned: `angle` in radians, clockwise; the corners one after another.
    struct RotatedBoxItem: Encodable, Sendable {
        let centre: [Float]
        let size: [Float]
        let angle: Float
        let corners: [[Float]]
    }

    /// One class of a whole picture.
    public struct ClassItem: Encodable, Sendable {
        let label: String
        let classID: Int
        let score: Float

        enum CodingKeys: String, CodingKey {
            case label, score
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
        self.init(id: id, model: model, answer: answer, items: answer.detections.map(Item.init))
    }

    /// Puts an answer in its words, as long as nobody stops it.
    ///
    /// - Parameter limit: looked at for every detection, and many times for a mask.
    /// - Throws: what the limit throws.
    init(id: String, model: String, answer: JobAnswer, limit: WorkLimit) throws(ImagingError) {
        var items: [Item] = []
        for detection in answer.detections {
            try limit.check()
            let polygons = try detection.mask?.polygons(within: Item.polygonTolerance, limit: limit)
            items.append(Item(detection, polygons: polygons))
        }
        self.init(id: id, model: model, answer: answer, items: items)
    }

    private init(id: String, model: String, answer: JobAnswer, items: [Item]) {
        self.id = id
        self.model = model
        image = Size(width: answer.size.width, height: answer.size.height, taken: answer.taken?.description)
        task = answer.task.rawValue
        detections = items
        classifications =
            answer.task == .classify
            ? answer.classifications.map { classification in
                ClassItem(
                    label: classification.label,
                    classID: classification.classID,
                    score: classification.score.rounded(toMultiplesOf: 100_000)
                )
            } : nil
        timing = Timing(
            queue: answer.timing.queue.milliseconds,
            decode: answer.timing.decode.milliseconds,
            inference: answer.timing.inference.milliseconds,
            postprocess: answer.timing.postprocessing.milliseconds
        )
    }
}

extension PredictionDocument.Item {
    /// Looks at the limit of the whole encoding, if there is one, before each detection.
    public func encode(to encoder: any Encoder) throws {
        if let key = CodingUserInfoKey.workLimit { try (encoder.userInfo[key] as? WorkLimit)?.check() }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(label, forKey: .label)
        try container.encode(classID, forKey: .classID)
        try container.encode(score, forKey: .score)
        try container.encode(box, forKey: .box)
        try container.encodeIfPresent(mask, forKey: .mask)
        try container.encodeIfPresent(polygons, forKey: .polygons)
        try container.encodeIfPresent(keypoints, forKey: .keypoints)
        try container.encodeIfPresent(rotatedBox, forKey: .rotatedBox)
    }

    /// How far a polygon may be from the border of the pixels, in pixels: less than a pixel's diagonal, so that slanted borders
    /// need no corner at every pixel.
    fileprivate static let polygonTolerance: Float = 0.75

    fileprivate init(_ detection: Detection) {
        self.init(detection, polygons: detection.mask?.polygons(within: Self.polygonTolerance))
    }

    fileprivate init(_ detection: Detection, polygons: [[Point]]?) {
        self.init(
            label: detection.label,
            classID: detection.classID,
            score: detection.score.rounded(toMultiplesOf: 100_000),
            box: detection.box.rounded,
            mask: detection.mask.map { mask in
                .init(area: mask.area, size: [mask.size.height, mask.size.width], counts: mask.compressedCounts)
            },
            polygons: polygons?.map { polygon in polygon.flatMap { [$0.x, $0.y] } },
            keypoints: detection.keypoints.map { keypoints in
                keypoints.map { keypoint in
                    [keypoint.x.rounded(toMultiplesOf: 1000), keypoint.y.rounded(toMultiplesOf: 1000)]
                        + (keypoint.score.map { [$0.rounded(toMultiplesOf: 100_000)] } ?? [])
                }
            },
            rotatedBox: detection.rotation.map { box in
                .init(
                    centre: box.centre.rounded,
                    size: [box.width.rounded(toMultiplesOf: 1000), box.height.rounded(toMultiplesOf: 1000)],
                    angle: box.angle.rounded(toMultiplesOf: 100_000),
                    corners: box.corners.map(\.rounded)
                )
            }
        )
    }
}

extension Point {
    /// From the left and from the top, to a thousandth of a pixel.
    fileprivate var rounded: [Float] { [x.rounded(toMultiplesOf: 1000), y.rounded(toMultiplesOf: 1000)] }
}

extension Float {
    /// The nearest multiple of 1/`parts`: digits beyond what means anything make answers long and differences noisy.
    func rounded(toMultiplesOf parts: Float) -> Float { (self * parts).rounded() / parts }
}

extension Box {
    /// Left, top, right, bottom to a thousandth of a pixel.
    var rounded: [Float] { [x1, y1, x2, y2].map { $0.rounded(toMultiplesOf: 1000) } }
}
