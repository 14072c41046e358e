// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation

/// One detection in the native answer.
struct Detection: Decodable, Hashable, Sendable {
    let label: String
    let classID: Int
    let score: Double
    let box: [Double]

    enum CodingKeys: String, CodingKey {
        case label, score, box
        case classID = "class_id"
    }
}

/// The native answer for one picture.
struct Prediction: Decodable, Sendable {
    struct Size: Decodable, Equatable, Sendable {
        let width: Int
        let height: Int
    }

    let id: String
    let model: String
    let image: Size
    let detections: [Detection]
    let timing: [String: Double]
}

/// The native answer for several pictures; `nereid predict` prints the results alone.
struct Predictions: Decodable {
    struct Result: Decodable {
        let file: String?
        let detections: [Detection]?
        let error: Problem?
    }

    let model: String
    let results: [Result]
}

/// An error (RFC 9457).
struct Problem: Decodable, Sendable {
    let type: String
    let title: String
    let status: Int
    let detail: String
    let code: String
}

/// The answer of `/predictor`.
struct PredictorAnswer: Decodable {
    struct Item: Decodable, Equatable {
        let categoryID: String
        let scores: [Double]
        let bbox: [Double]

        enum CodingKeys: String, CodingKey {
            case scores, bbox
            case categoryID = "category_id"
        }
    }

    let success: Bool
    let predictions: [Item]
    let error: String?
}

/// One detection in the answer of `/predict`.
struct Concept: Decodable, Equatable {
    let concept: String
    let x: Double
    let y: Double
    let width: Double
    let height: Double
    let probability: Double
}

/// A model in `/v1/models`.
struct Model: Decodable, Sendable {
    struct Head: Decodable, Sendable {
        let kind: String
    }

    struct Queue: Decodable, Sendable {
        let depth: Int
        let running: Int
    }

    struct Worker: Decodable, Sendable {
        let name: String
        let file: String
    }

    let name: String
    let aliases: [String]
    let state: String
    let reason: String?
    let classes: [String]?
    let workers: [Worker]?
    let head: Head?
    let queue: Queue
}

/// `/v1/models`.
struct ModelList: Decodable {
    let models: [Model]
}

/// `/health/ready`.
struct Readiness: Decodable {
    struct Broken: Decodable {
        let model: String?
        let file: String
        let reason: String
        let answers: Bool
    }

    let status: String
    let missing: [String]?
    let broken: [Broken]?
}
