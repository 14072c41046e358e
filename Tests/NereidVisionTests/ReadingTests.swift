// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Logging
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

/// From a network's outputs to what is told of the picture, with an engine that answers what it is told to.
@Suite("Reading the outputs of every task")
struct ReadingTests {
    /// A picture of 128 × 64, which fits an input of 64 × 32 at half its size.
    static let picture = Result { try Picture.blocks([], width: 128, height: 64) }

    static func predict(
        _ outputs: [(name: String, tensor: Tensor)],
        metadata: [String: String] = [:],
        options: PredictionOptions = .init(),
        _ configure: (inout VisionModelConfiguration) -> Void = { _ in }
    ) async throws -> (model: VisionModel, prediction: Prediction) {
        let engine = ScriptedEngine(
            input: [.fixed(1), .fixed(3), .fixed(32), .fixed(64)],
            outputs: outputs,
            metadata: metadata
        )
        var configuration = VisionModelConfiguration()
        configure(&configuration)
        let model = try await VisionModel.load(
            GraphSource(name: "script", content: .bytes([])),
            on: engine,
            configuration: configuration,
            imaging: Fixtures.imaging,
            logger: Fixtures.logger
        )
        return (model, try await model.predict([picture.get()], options: options)[0])
    }

    /// Rows as planes: `[1, values, rows]`.
    static func planes(_ rows: [[Float]]) throws -> Tensor {
        try Tensor(rows[0].indices.flatMap { value in rows.map { $0[value] } }, shape: [1, rows[0].count, rows.count])
    }

    @Test("gives keypoints in pixels of the picture, clipped to it, of an ordinary export")
    func pose() async throws {
        // One class; two points of three values. Names confirm the columns, which are not those of a grid.
        let row: [Float] = [16, 16, 8, 8, 0.75, 20, 10, 0.5, 70, -3, 0.25]
        let (model, prediction) = try await Self.predict(
            [("output0", Self.planes([row, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]))],
            metadata: ["task": "pose", "kpt_shape": "[2, 3]", "names": "{0: 'diver'}"]
        )
        #expect((model.task, model.headKind, prediction.task) == (.pose, .yolov8, .pose))
        let detection = try #require(prediction.detections.first)
        #expect(prediction.detections.count == 1)
        #expect(detection.keypoints == [Keypoint(x: 40, y: 20, score: 0.5), Keypoint(x: 128, y: 0, score: 0.25)])
        #expect(detection.box == Box(x1: 24, y1: 24, x2: 40, y2: 40))
        #expect((detection.mask, detection.rotation) == (nil, nil))
    }

    @Test("leaves the extras out when boxes alone are asked for")
    func boxesOnly() async throws {
        let row: [Float] = [16, 16, 8, 8, 0.75, 20, 10]
        let (model, prediction) = try await Self.predict(
            [("output0", Self.planes([row]))],
            metadata: ["task": "pose", "kpt_shape": "[1, 2]", "names": "{0: 'diver'}"]
        ) { $0.task = .detect }
        #expect(model.task == .detect)
        #expect(prediction.detections.map(\.keypoints) == [nil])
    }

    @Test("turns boxes, suppresses by their likeness, and gives the upright box around each")
    func obb() async throws {
        let rows: [[Float]] = [
            [32, 16, 20, 4, 0.75, 0, .pi / 2], [32, 16, 20, 4, 0, 0.5, .pi / 2], [32, 16, 20, 4, 0.25, 0, 0],
        ]
        let metadata = ["task": "obb", "names": "{0: 'ship', 1: 'boat'}"]
        let (model, prediction) = try await Self.predict(
            [("output0", Self.planes(rows))],
            metadata: metadata,
            options: .init(confidence: 0.1)
        )
        #expect(model.task == .obb)
        // The third stands across the others, and the second is of another class.
        #expect(prediction.detections.map(\.label) == ["ship", "boat", "ship"])
        let first = prediction.detections[0]
        #expect(first.rotation == RotatedBox(centre: Point(x: 64, y: 32), width: 40, height: 8, angle: .pi / 2))
        #expect(first.box.isNear(Box(x1: 60, y1: 12, x2: 68, y2: 52), within: 1e-3))
        let agnostic = try await Self.predict(
            [("output0", Self.planes(rows))],
            metadata: metadata,
            options: .init(confidence: 0.1, classAgnostic: true)
        )
        #expect(agnostic.prediction.detections.map(\.score) == [0.75, 0.25])
    }

    @Test("reads turned boxes and keypoints that the network has chosen itself")
    func endToEnd() async throws {
        let turned = try await Self.predict(
            [("output0", Tensor.rows([[32, 16, 20, 4, 0.75, 1, 0.5], [0, 0, 0, 0, 0, 0, 0]]))],
            metadata: ["task": "obb", "names": "{0: 'ship', 1: 'boat'}"]
        )
        #expect(turned.model.headKind == .endToEnd)
        let expected = RotatedBox(centre: Point(x: 64, y: 32), width: 40, height: 8, angle: 0.5)
        #expect(turned.prediction.detections.map(\.rotation) == [expected])
        #expect(turned.prediction.detections.map(\.label) == ["boat"])
        let pose = try await Self.predict(
            [("output0", Tensor.rows([[12, 12, 20, 20, 0.75, 0, 3, 4], [0, 0, 0, 0, 0, 0, 0, 0]]))],
            metadata: ["task": "pose", "kpt_shape": "[1, 2]", "names": "{0: 'diver'}"]
        )
        #expect(pose.prediction.detections.map(\.keypoints) == [[Keypoint(x: 6, y: 8)]])
        #expect(pose.prediction.detections[0].box == Box(x1: 24, y1: 24, x2: 40, y2: 40))
    }

    /// One prototype over the whole input, left half inside.
    static func prototypes() throws -> Tensor {
        try Tensor((0..<8 * 16).map { $0 % 16 < 8 ? Float(1) : -1 }, shape: [1, 1, 8, 16])
    }

    @Test("marks the object's pixels within its box, and drops objects without any")
    func segment() async throws {
        // Centre, size, score, coefficient: the second's mask is empty, the third lies on the other half.
        let rows: [[Float]] = [
            [16, 16, 16, 16, 0.75, 10], [16, 16, 16, 16, 0.5, -10], [48, 16, 16, 16, 0.625, -10],
        ]
        let (model, prediction) = try await Self.predict(
            [("output0", Self.planes(rows)), ("output1", Self.prototypes())],
            metadata: ["names": "{0: 'fish'}"],
            options: .init(iou: 1)
        )
        #expect(model.task == .segment)
        #expect(prediction.detections.map(\.score) == [0.75, 0.625])
        let mask = try #require(prediction.detections[0].mask)
        #expect(mask.size == PixelSize(width: 128, height: 64))
        // The box is 32 pixels of the picture a side, all of it inside.
        #expect((30...33).contains(Float(mask.area).squareRoot()))
        #expect(mask.contains(x: 20, y: 20) && !mask.contains(x: 100, y: 30))
        #expect(prediction.detections[1].mask?.contains(x: 100, y: 30) == true)
    }

    @Test("keeps YOLOv5's objects with empty masks, weighted by their objectness")
    func yolov5() async throws {
        // Centre, size, objectness, score, coefficient: squashed, one half and more is inside.
        let rows: [[Float]] = [[16, 16, 16, 16, 0.75, 1, 8], [48, 16, 16, 16, 0.75, 1, 8]]
        let (model, prediction) = try await Self.predict(
            [("output0", Tensor.rows(rows)), ("output1", Self.prototypes())],
            metadata: ["names": "{0: 'fish'}"]
        ) { $0.head = .yolov5 }
        #expect((model.task, model.headKind) == (.segment, .yolov5))
        #expect(prediction.detections.map { $0.mask?.isEmpty } == [false, true])
    }

    @Test("says what is wrong when the prototypes change", arguments: [[1, 2, 8, 16], [1, 1, 0, 16], [1, 128]])
    func changed(shape: [Int]) async throws {
        let engine = ScriptedEngine(
            input: [.fixed(1), .fixed(3), .fixed(32), .fixed(64)],
            outputs: [
                ("output0", try Self.planes([[16, 16, 16, 16, 0.75, 10]])), ("output1", try Self.prototypes()),
            ],
            metadata: ["names": "{0: 'fish'}"],
            later: [
                ("output0", try Self.planes([[16, 16, 16, 16, 0.75, 10]])),
                ("output1", try Tensor(zeros: .float32, shape: shape)),
            ]
        )
        let model = try await VisionModel.load(
            GraphSource(name: "script", content: .bytes([])),
            on: engine,
            imaging: Fixtures.imaging,
            logger: Fixtures.logger
        )
        await #expect(throws: VisionError.self) { try await model.predict([Self.picture.get()]) }
    }

    @Test("classifies by the best classes, whether logits or probabilities")
    func classify() async throws {
        let logits: [Float] = [1, 3, -2, 2, 0, 0.5, -1]
        let weights = logits.map { exp($0) }
        let (model, prediction) = try await Self.predict([("logits", Tensor(logits, shape: [1, 7]))])
        #expect((model.task, model.headKind) == (.classify, .classifier))
        #expect(prediction.detections.isEmpty)
        #expect(prediction.classifications.map(\.classID) == [1, 3, 0, 5, 4])
        #expect(abs(prediction.classifications[0].score - weights[1] / weights.reduce(0, +)) < 1e-6)
        #expect(prediction.classifications[0].label == "class 1")
        let given = try await Self.predict(
            [("probabilities", Tensor([0.5, 0.125, 0.375] as [Float], shape: [1, 3, 1, 1]))],
            metadata: ["names": "['rock', 'sand', 'mud']"],
            options: .init(confidence: 0.2, topClasses: 5)
        )
        #expect(given.prediction.classifications.map(\.label) == ["rock", "mud"])
        #expect(given.prediction.classifications.map(\.score) == [0.5, 0.375])
        let one = try await Self.predict([("p", Tensor([0.5, 0.125, 0.375] as [Float], shape: [1, 3]))]) {
            $0.defaults.topClasses = 1
        }
        #expect(one.prediction.classifications.map(\.classID) == [0])
        let some = try await Self.predict(
            [("p", Tensor([0.5, 0.125, 0.375] as [Float], shape: [1, 3]))],
            options: .init(classes: [1, 2])
        )
        #expect(some.prediction.classifications.map(\.classID) == [2, 1])
    }

    @Test("prepares pictures for a classifier as its framework does")
    func preprocessing() async throws {
        let output = try Tensor([0.5, 0.5] as [Float], shape: [1, 2])
        func input(_ metadata: [String: String]) async throws -> ModelInput {
            try await Self.predict([("p", output)], metadata: metadata).model.input
        }
        let plain = try await input([:])
        #expect((plain.fit, plain.preprocessing) == (.crop, .imageNet))
        #expect(try await input(["task": "classify"]).preprocessing == .ultralyticsClassifier)
        #expect(try await input(["nereid.preprocess": "ultralytics"]).preprocessing == .ultralyticsClassifier)
        let yolov5 = try await input(["nereid.preprocess": "yolov5"])
        #expect((yolov5.fit, yolov5.preprocessing) == (.cropFirst, .yolov5Classifier))
    }
}
