// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging

@testable import NereidVision

/// What an original framework computes from a checkpoint: `reference/*/*.json` of the shared folder, whose README.md says how
/// each number was made.
struct ReferenceFile: Decodable {
    let runs: [Run]

    /// One photo in one mode.
    struct Run: Decodable {
        let photo: String
        let mode: String
        /// Height and width of the network's input.
        let netHw: [Int]
        let detections: [Expected]?
        let mayAppear: [Possible]?
        let probabilities: [Float]?
        let seedJson: [SeedItem]?
    }

    /// A detection of the framework.
    struct Expected: Decodable {
        let boxXyxy: [Float]?
        /// Centre, size, and angle in radians.
        let xywhr: [Float]?
        let corners: [Float]?
        let score: Float
        let classId: Int
        /// Whether it came back in every repetition with noise of the size of rounding errors.
        let stable: Bool
        let keypoints: [[Float]]?
        /// Run lengths along the rows of the network's input, outside first.
        let maskRleNet: [Int]?
    }

    /// A detection that came in some of those repetitions only.
    struct Possible: Decodable {
        let boxNetXyxy: [Float]
        let score: Float
        let classId: Int
    }

    /// A detection as the older server answers it.
    struct SeedItem: Decodable {
        let categoryId: String
        let scores: [Float]
        let bbox: [Float]
    }
}

extension Box {
    init(edges: [Float]) {
        self.init(x1: edges[0], y1: edges[1], x2: edges[2], y2: edges[3])
    }
}

/// Decoded photos of the shared folder, as they are stored, each decoded once.
actor ReferencePhotos {
    static let shared = ReferencePhotos()
    private var pictures: [String: Task<Picture, any Error>] = [:]

    func picture(_ name: String) async throws -> Picture {
        let task = pictures[name] ?? Task { try await SharedFolder.photo(name, appliesOrientation: false) }
        pictures[name] = task
        return try await task.value
    }
}
