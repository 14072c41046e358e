// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import TestSupport
import Testing

@testable import NereidVision

@Suite("Limits of a model's work")
struct WorkLimitTests {
    /// Every kind of long work of this room, with how often it must look at its limit at least.
    struct Work: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let checks: Int
        let run: @Sendable (WorkLimit) throws -> Void
    }

    static let whole = Box(x1: 0, y1: 0, x2: 64, y2: 64)

    static func prototypes(_ rule: MaskRule) -> Work {
        Work(testDescription: "a mask of prototypes, \(rule)", checks: 200) { limit in
            let decoder = MaskDecoder(
                size: PixelSize(width: 16, height: 16),
                count: 1,
                rule: rule,
                letterbox: Letterbox(
                    picture: PixelSize(width: 200, height: 200),
                    target: PixelSize(width: 64, height: 64),
                    fit: .square
                )
            )
            let plane = [Float](repeating: 1, count: 256)
            _ = try decoder.mask([1], plane.span, box: whole, limit: limit)
        }
    }

    /// Teeth of a comb, one pixel wide.
    static func comb(width: Int, height: Int) throws -> Mask {
        var builder = MaskBuilder(size: PixelSize(width: width, height: height))
        for column in 0..<width { builder.add(column: column, rows: 0..<(column % 2 == 0 ? height : 1)) }
        return builder.mask()
    }

    static func candidates(_ count: Int) -> [Candidate] {
        (0..<count).map { place in
            let x = Float(place) * 10
            return Candidate(box: Box(x1: x, y1: 0, x2: x + 5, y2: 5), score: 0.5, classID: 0, place: place)
        }
    }

    static let works: [Work] = [
        prototypes(.sigmoidThenEnlarge), prototypes(.enlargeLogits),
        Work(testDescription: "a mask that is pasted", checks: 200) { limit in
            let paster = MaskPaster(picture: PixelSize(width: 200, height: 100))
            let box = Box(x1: 0, y1: 0, x2: 200, y2: 100)
            _ = try paster.mask([Float](repeating: 1, count: 16), side: 4, box: box, limit: limit)
        },
        Work(testDescription: "polygons", checks: 100) { limit in
            _ = try comb(width: 100, height: 1000).polygons(within: 0.75, limit: limit)
        },
        Work(testDescription: "drawing of objects", checks: 20) { limit in
            let detection = Detection(box: whole, score: 0.5, classID: 0, label: "a")
            _ = try Annotation.draw(
                [Detection](repeating: detection, count: 20),
                on: .blocks([], width: 64, height: 64),
                limit: limit
            )
        },
        Work(testDescription: "drawing of masks", checks: 64) { limit in
            var detection = Detection(box: whole, score: 0.5, classID: 0, label: "a")
            detection.mask = try comb(width: 64, height: 64)
            _ = try Annotation.draw([detection], on: .blocks([], width: 64, height: 64), limit: limit)
        },
        Work(testDescription: "drawing of classes", checks: 20) { limit in
            let classification = Classification(classID: 0, label: "a", score: 0.5)
            _ = try Annotation.draw(
                [],
                classifications: [Classification](repeating: classification, count: 20),
                on: .blocks([], width: 64, height: 64),
                limit: limit
            )
        },
        Work(testDescription: "suppression", checks: 10) { limit in
            let rule = NonMaximumSuppression(iou: 1, classAgnostic: true, maxDetections: .max)
            let kept = try rule(candidates(640), check: limit.check)
            #expect(kept == rule(candidates(640)))
        },
        Work(testDescription: "suppression of turned boxes", checks: 10) { limit in
            let rule = RotatedSuppression(iou: 1, classAgnostic: true, maxDetections: .max)
            let kept = try rule(candidates(640), check: limit.check)
            #expect(kept == rule(candidates(640)))
        },
    ]

    @Test("are looked at on the way by every piece of work", arguments: works)
    func work(work: Work) throws {
        try work.run(.unlimited)
        #expect(throws: ImagingError.deadlinePassed) { try work.run(.ending(after: 0)) }
        #expect(throws: ImagingError.deadlinePassed) { try work.run(.ending(after: work.checks - 1)) }
        let flag = CancellationFlag()
        flag.set()
        #expect(throws: ImagingError.cancelled) { try work.run(WorkLimit(flag: flag)) }
    }

    /// A model with two objects, each as large as its picture, and masks of one prototype.
    static func model() async throws -> VisionModel {
        // One class: 4 values of the box, a score, a coefficient.
        let rows: [[Float]] = [[32, 16, 64, 32, 0.9, 1], [32, 16, 64, 32, 0.8, 1]]
        let planes = rows[0].indices.flatMap { value in rows.map { $0[value] } }
        let engine = ScriptedEngine(
            input: [.fixed(1), .fixed(3), .fixed(32), .fixed(64)],
            outputs: [
                ("output0", try Tensor(planes, shape: [1, 6, 2])),
                ("output1", try Tensor([Float](repeating: 1, count: 128), shape: [1, 1, 8, 16])),
            ],
            metadata: ["names": "{0: 'a'}", "task": "segment"]
        )
        return try await VisionModel.load(
            GraphSource(name: "reef", content: .bytes([])),
            on: engine,
            imaging: Fixtures.imaging,
            logger: Fixtures.logger
        )
    }

    @Test("bound the pixels of the masks of one picture, before the first is made, and fail that picture alone")
    func maskPixels() async throws {
        let model = try await Self.model()
        let picture = try Picture.blocks([], width: 128, height: 64)
        let (few, many) = (PredictionOptions(iou: 1, maxDetections: 1), PredictionOptions(iou: 1))
        let pixels = 2 * 128 * 64
        let found = try await model.answers(to: [(picture, many)], maskPixels: pixels)
        #expect(try found[0].get().detections.map { $0.mask?.area } == [128 * 64, 128 * 64])
        let answers = try await model.answers(to: [(picture, many), (picture, few)], maskPixels: pixels - 1)
        let refusal = VisionError.masksTooLarge(model: "reef", objects: 2, pixels: pixels, limit: pixels - 1)
        #expect(throws: refusal) { try answers[0].get() }
        #expect(try answers[1].get().detections.count == 1)
    }

    @Test("end what fails for one picture's time with the whole work, and other faults with the picture's")
    func stopping() throws {
        for error in [ImagingError.cancelled, .deadlinePassed] {
            #expect(throws: error) { try Result<Int, any Error>.unlessStopped { throw error } }
        }
        let result = try Result<Int, any Error>.unlessStopped { throw ImagingError.notAPicture }
        #expect(throws: ImagingError.notAPicture) { try result.get() }
        #expect(try Result<Int, any Error>.unlessStopped { 7 }.get() == 7)
    }
}
