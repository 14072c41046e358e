// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidCheckpoints
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

/// From the checkpoint to the answer, on every photo in every mode of the reference results.
@Suite("Detectron2's checkpoints against Detectron2", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct Detectron2ReferenceTests {
    /// Greatest difference of a coordinate, in pixels of the photo, and of a score.
    private static let (distance, scoreDifference): (Float, Float) = (0.5, 2e-3)

    @Test("find every stable detection, and nothing unexplained", arguments: Detectron2Sample.all)
    func defaultPredictor(sample: Detectron2Sample) async throws {
        let model = try await sample.model()
        let runs = try sample.results().runs.filter { $0.mode == "default_predictor" }
        try #require(runs.count == 6)
        var row = ReferenceTable.Row(checkpoint: sample.weights)
        for run in runs {
            let picture = try await ReferencePhotos.shared.picture(run.photo)
            let letterbox = model.input.letterbox(for: picture.size)
            #expect([letterbox.content.height, letterbox.content.width] == run.resizedHw)
            let found = try await model.predict([picture], options: .init(confidence: 0.3))[0].detections
            row.add(check(found, run))
        }
        try ReferenceTable.add(row)
        await model.shutDown()
    }

    @Test("answer as the older server did, at three scales at once", arguments: [Detectron2Sample.retinaNet, .legacy])
    func olderServer(sample: Detectron2Sample) async throws {
        let model = try await sample.model { configuration in
            configuration.scales = [(1280, 720), (960, 540), (1920, 1080)].map { PixelSize(width: $0, height: $1) }
            configuration.resampling = .precise
            configuration.defaults.confidence = 0.3
            configuration.defaults.iou = 0.45
            configuration.defaults.classAgnostic = true
        }
        // The legacy file holds the same weights, which has been shown; one photo of it is enough.
        let runs = try sample.results().runs.filter { $0.mode == "seed_worker" }
        try #require(runs.count == 6)
        var row = ReferenceTable.Row(checkpoint: "\(sample.weights), three sizes")
        for run in sample.weights.contains("legacy") ? runs.suffix(4).prefix(1) : runs[...] {
            let picture = try await ReferencePhotos.shared.picture(run.photo)
            let letterboxes = model.input.letterboxesAtScales(for: picture.size)
            #expect(letterboxes.map { [$0.content.height, $0.content.width] } == run.scales?.map(\.resizedHw))
            #expect(letterboxes.allSatisfy { [$0.input.height, $0.input.width] == run.paddedBatchHw })
            row.add(check(try await model.predict([picture])[0].detections, run))
        }
        try ReferenceTable.add(row)
        await model.shutDown()
    }

    /// Every stable detection has a partner of its own, and every other one found is known to come and go.
    ///
    /// - Returns: how far each stable detection is from its partner.
    private func check(_ found: [Detection], _ run: Detectron2Reference.Run) -> [(box: Float, score: Float)?] {
        var differences: [(box: Float, score: Float)?] = []
        let place = "\(run.photo), \(run.mode)"
        var left = found
        for item in run.detections.filter(\.stable) + run.detections.filter({ !$0.stable }) {
            let expected = Box(edges: item.boxXyxy)
            let partner = left.firstIndex { detection in
                detection.classID == item.classId && abs(detection.score - item.score) < Self.scoreDifference
                    && detection.box.isNear(expected, within: Self.distance)
            }
            if let partner {
                if item.stable {
                    let own = left[partner].box
                    let edges = [
                        own.x1 - expected.x1, own.y1 - expected.y1, own.x2 - expected.x2, own.y2 - expected.y2,
                    ]
                    differences.append((edges.map(abs).max() ?? 0, abs(left[partner].score - item.score)))
                    if let runs = item.maskRle { checkMask(left[partner], runs, place) }
                }
                left.remove(at: partner)
            } else if item.stable {
                differences.append(nil)
                Issue.record("\(place): missing class \(item.classId) at \(expected), score \(item.score)")
            }
        }
        let unexplained = left.filter { detection in
            !(run.mayAppear ?? []).contains { possible in
                possible.classId == detection.classID && abs(possible.score - detection.score) < 0.01
                    && detection.box.isNear(Box(edges: possible.boxXyxy), within: 2)
            }
        }
        #expect(unexplained.isEmpty, "\(place)")
        return differences
    }

    private func checkMask(_ detection: Detection, _ runs: [Int], _ place: String) {
        guard let mask = detection.mask else {
            Issue.record("\(place): no mask at \(detection.box)")
            return
        }
        var isInside: Set<Int> = []
        mask.forEachColumnRun { column, rows in
            for row in rows { isInside.insert(row * mask.size.width + column) }
        }
        var (position, area, common) = (0, 0, 0)
        for (index, length) in runs.enumerated() {
            if index % 2 == 1 {
                area += length
                common += (position..<position + length).count { isInside.contains($0) }
            }
            position += length
        }
        let union = area + isInside.count - common
        #expect(
            union == 0 || Float(common) / Float(union) >= 0.98,
            "\(place): \(common) of \(union) at \(detection.box)"
        )
    }
}
