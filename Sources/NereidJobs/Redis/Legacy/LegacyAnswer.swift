// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NIOCore
import NIOFoundationCompat
import NIOPosix
import NereidImaging
import NereidVision

/// The answer of a worker of the older server: `[{"category_id": "label", "scores": [0.93], "bbox": [x1, y1, x2, y2]}]`, boxes in
/// pixels of the picture.
struct LegacyAnswer: Sendable {
    /// What the worker saw, in its order.
    let sightings: [Sighting]

    struct Sighting: Decodable, Sendable {
        let label: String
        /// The best of its scores.
        let score: Float
        let box: Box

        private enum CodingKeys: String, CodingKey {
            case label = "category_id"
            case scores, bbox
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            // Some workers have numbers only.
            label =
                try (try? values.decode(String.self, forKey: .label)) ?? String(values.decode(Int.self, forKey: .label))
            let scores = try values.decode([Float].self, forKey: .scores)
            guard let best = scores.max() else {
                throw DecodingError.dataCorruptedError(forKey: .scores, in: values, debugDescription: "it is empty")
            }
            guard label.utf8.count <= AnswerBounds.labelBytes else {
                throw DecodingError.dataCorruptedError(forKey: .label, in: values, debugDescription: "it is too long")
            }
            score = min(max(best, 0), 1)
            let sides = try values.decode([Float].self, forKey: .bbox)
            guard sides.count == 4 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .bbox,
                    in: values,
                    debugDescription: "it has not 4 numbers"
                )
            }
            box = Box(x1: sides[0], y1: sides[1], x2: sides[2], y2: sides[3])
        }
    }

    /// Reads an answer. What is large is read on a thread that may be held up.
    ///
    /// - Throws: as ``init(json:from:)``.
    static func read(_ json: ByteBuffer, from model: String) async throws -> LegacyAnswer {
        guard json.readableBytes > 64 << 10 else { return try LegacyAnswer(json: json, from: model) }
        return try await NIOThreadPool.singleton.runIfActive { try LegacyAnswer(json: json, from: model) }
    }

    /// Reads an answer.
    ///
    /// - Throws: ``JobError/unusableAnswer(model:reason:)``, also when it is more than anybody may have asked for.
    init(json: ByteBuffer, from model: String) throws(JobError) {
        if json.readableBytes > 0, let obstacle = AnswerBounds.obstacle(to: json) {
            throw .unusableAnswer(model: model, reason: obstacle)
        }
        do {
            sightings = try JSONDecoder().decode([Sighting].self, from: Data(buffer: json))
        } catch {
            let beginning = String(decoding: json.readableBytesView.prefix(80), as: UTF8.self)
            throw .unusableAnswer(
                model: model,
                reason:
                    "it is not the list of category_id, scores and bbox that docs/migration.md describes, but "
                    + "begins with ‘\(beginning)’"
            )
        }
        guard sightings.count <= AnswerBounds.most else {
            throw .unusableAnswer(
                model: model,
                reason: "it has \(sightings.count) detections, more than \(AnswerBounds.most)"
            )
        }
    }

    /// What a request asked for of what the worker saw, best first, with boxes clipped to the picture.
    func detections(in size: PixelSize, _ options: PredictionOptions, classID: (String) throws -> Int) rethrows
        -> [Detection]
    {
        let (width, height) = (Float(size.width), Float(size.height))
        let all = try sightings.map { sighting in
            let box = sighting.box
            return Detection(
                box: Box(
                    x1: min(max(box.x1, 0), width),
                    y1: min(max(box.y1, 0), height),
                    x2: min(max(box.x2, 0), width),
                    y2: min(max(box.y2, 0), height)
                ),
                score: sighting.score,
                classID: try classID(sighting.label),
                label: sighting.label
            )
        }
        let wanted = all.filter { detection in
            detection.score >= options.confidence ?? 0 && options.classes?.contains(detection.classID) ?? true
        }
        return Array(wanted.sorted { $0.score > $1.score }.prefix(options.maxDetections ?? .max))
    }
}

/// The classes of a model whose workers say nothing of themselves: a label's number is how many others were seen before it.
struct SeenLabels: Sendable {
    private(set) var names: [String] = []
    private var numbers: [String: Int] = [:]

    /// So many that no model has more.
    static let most = 65_536

    /// The number of a label, or `nil` when there are too many.
    mutating func number(of label: String) -> Int? {
        if let number = numbers[label] { return number }
        guard names.count < Self.most else { return nil }
        numbers[label] = names.count
        names.append(label)
        return names.count - 1
    }
}
