// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidJobs
import NereidVision

/// The answer of `/predictor`, as `keras-model-client` and VARS Annotation read it.
struct PredictorDocument: Encodable {
    let success: Bool
    let predictions: [Item]
    var error: String?

    struct Item: Encodable {
        let categoryID: String
        let scores: [Float]
        let bbox: [Float]

        enum CodingKeys: String, CodingKey {
            case scores, bbox
            case categoryID = "category_id"
        }
    }

    init(_ detections: [Detection]) {
        success = true
        predictions = detections.map {
            Item(
                categoryID: $0.label,
                scores: [$0.score.rounded(toMultiplesOf: 100_000)],
                bbox: $0.box.rounded
            )
        }
    }

    init(error: String) {
        success = false
        predictions = []
        self.error = error
    }
}

/// One detection in the answer of `/predict`: the concept, and the box by its corner and size.
struct ConceptDocument: Encodable {
    let concept: String
    let x: Float
    let y: Float
    let width: Float
    let height: Float
    let probability: Float

    init(_ detection: Detection) {
        concept = detection.label
        x = detection.box.x1.rounded(toMultiplesOf: 1000)
        y = detection.box.y1.rounded(toMultiplesOf: 1000)
        width = detection.box.width.rounded(toMultiplesOf: 1000)
        height = detection.box.height.rounded(toMultiplesOf: 1000)
        probability = detection.score.rounded(toMultiplesOf: 100_000)
    }
}

extension JobAnswer {
    /// What clients that know nothing but boxes are told: of a model that classifies, the best class with the whole picture for
    /// its box.
    ///
    /// An empty list would read as “nothing there”, and several classes as several objects; one box around the picture is
    /// true, and nothing that these clients have not seen before.
    var boxes: [Detection] {
        guard task == .classify, let best = classifications.first else { return detections }
        let whole = Box(x1: 0, y1: 0, x2: Float(size.width), y2: Float(size.height))
        return [Detection(box: whole, score: best.score, classID: best.classID, label: best.label)]
    }
}
