// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

/// Values that no answer may be made of end the request, whatever they would have been part of.
@Suite("Answers that can't be right")
struct PlausibilityTests {
    /// What a model does that looks right when it is loaded and gives other outputs afterwards.
    static func predict(
        loading: [(name: String, tensor: Tensor)],
        later: [(name: String, tensor: Tensor)],
        metadata: [String: String] = ["names": "{0: 'fish'}"],
        options: PredictionOptions = .init(),
        _ configure: (inout VisionModelConfiguration) -> Void = { _ in }
    ) async throws -> Prediction {
        let engine = ScriptedEngine(
            input: [.fixed(1), .fixed(3), .fixed(32), .fixed(64)],
            outputs: loading,
            metadata: metadata,
            later: later
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
        return try await model.predict([.blocks([], width: 128, height: 64)], options: options)[0]
    }

    static func reason(
        loading: [(name: String, tensor: Tensor)],
        later: [(name: String, tensor: Tensor)],
        metadata: [String: String] = ["names": "{0: 'fish'}"]
    ) async -> String? {
        do {
            _ = try await predict(loading: loading, later: later, metadata: metadata)
            return nil
        } catch VisionError.implausibleOutput(let model, _, let reason) {
            return model == "script" ? reason : "another model"
        } catch { return "\(error)" }
    }

    static func planes(_ rows: [Float]...) throws -> [(name: String, tensor: Tensor)] {
        [("output0", try ReadingTests.planes(rows))]
    }

    static let good: [Float] = [16, 16, 8, 8, 0.75]
    static let bad: [([Float], String)] = [
        ([16, 16, 8, 8, 17.25], "a score of 17.25"), ([16, 16, 8, 8, 1.02], "a score of 1.02"),
        ([16, 16, 8, 8, .nan], "a score that is not a number"), ([16, 16, 8, 8, .infinity], "a score of inf"),
        ([.nan, 16, 8, 8, 0.75], "not finite"), ([16, .infinity, 8, 8, 0.75], "not finite"),
        ([16, 16, 400, 8, 0.75], "a box of [-184.0, 12.0, 216.0, 20.0] in an input of 64×32"),
        ([640, 16, 8, 8, 0.75], "a box of [636.0,"), ([16, 640, 8, 8, 0.75], "a box of [12.0, 636.0,"),
        ([-640, 16, 8, 8, 0.75], "a box of [-644.0,"),
    ]

    @Test("end the request with the reason", arguments: bad)
    func detections(row: [Float], reason: String) async throws {
        let said = await Self.reason(loading: try Self.planes(Self.good), later: try Self.planes(row))
        #expect(said?.contains(reason) == true, "\(said ?? "an answer")")
    }

    @Test("but rounding, and boxes larger than the picture, do not")
    func tolerance() async throws {
        for score in [Float(1.0), 1.0005, 1.009] {
            let later = try Self.planes([16, 16, 8, 8, score])
            let found = try await Self.predict(loading: Self.planes(Self.good), later: later).detections
            #expect(found.map(\.score) == [1])
        }
        let large = try Self.planes([32, 16, 180, 150, 0.75])
        let found = try await Self.predict(loading: Self.planes(Self.good), later: large).detections
        #expect(found.map(\.box) == [Box(x1: 0, y1: 0, x2: 128, y2: 64)])
    }

    @Test("nor do boxes of anchors that are larger than a small input")
    func anchors() throws {
        let input = PixelSize(width: 160, height: 128)
        let candidate = Candidate(box: Box(x1: -132, y1: -251, x2: 137, y2: 302), score: 0.5, classID: 0)
        #expect(throws: HeadMisfit.self) { try Plausibility(input: input).requireNear([candidate]) }
        #expect(throws: Never.self) { try Plausibility(input: input, reach: 512).requireNear([candidate]) }
        let far = Candidate(box: Box(x1: -800, y1: 0, x2: 137, y2: 60), score: 0.5, classID: 0)
        #expect(throws: HeadMisfit.self) { try Plausibility(input: input, reach: 512).requireNear([far]) }
    }

    @Test("nor what is below the threshold, but a score that is not a number anywhere")
    func belowTheThreshold() async throws {
        let loading = try Self.planes(Self.good)
        let later = try Self.planes(Self.good, [9999, 0, 8, 8, 0.01])
        let found = try await Self.predict(loading: loading, later: later).detections
        #expect(found.count == 1)
        let broken = try Self.planes(Self.good, [16, 16, 8, 8, -.nan])
        #expect(await Self.reason(loading: loading, later: broken) == "a score that is not a number")
    }

    @Test("of classes", arguments: [[Float.nan, 0, 0], [1, .infinity, 0], [-.nan, -.nan, -.nan]])
    func classes(logits: [Float]) async throws {
        let said = await Self.reason(
            loading: [("logits", try Tensor([1, 2, 3] as [Float], shape: [1, 3]))],
            later: [("logits", try Tensor(logits, shape: [1, 3]))],
            metadata: [:]
        )
        #expect(said == "a score that is not a number")
    }

    @Test("probabilities of classes that rounding put beyond 0 or 1 are taken as they are")
    func roundedClasses() async throws {
        let output: [(name: String, tensor: Tensor)] = [
            ("p", try Tensor([1.0005, -0.0005, 0] as [Float], shape: [1, 3]))
        ]
        let found = try await Self.predict(loading: output, later: output, metadata: [:]).classifications
        #expect(found.map(\.score) == [1, 0, 0])
    }

    @Test("of keypoints", arguments: [[Float.nan, 10, 0.5], [20, .infinity, 0.5], [20, 10, 2]])
    func keypoints(point: [Float]) async throws {
        let metadata = ["task": "pose", "kpt_shape": "[1, 3]", "names": "{0: 'diver'}"]
        let said = await Self.reason(
            loading: try Self.planes(Self.good + [20, 10, 0.5]),
            later: try Self.planes(Self.good + point),
            metadata: metadata
        )
        #expect(said?.contains("keypoint") == true)
    }

    @Test("of turned boxes")
    func angles() async throws {
        let said = await Self.reason(
            loading: try Self.planes(Self.good + [0.5]),
            later: try Self.planes(Self.good + [.nan]),
            metadata: ["task": "obb", "names": "{0: 'ship'}"]
        )
        #expect(said?.contains("not finite") == true)
    }

    @Test("of masks: coefficients and prototypes")
    func masks() async throws {
        func outputs(_ coefficient: Float, _ prototype: Float) throws -> [(name: String, tensor: Tensor)] {
            [
                ("output0", try ReadingTests.planes([Self.good + [coefficient]])),
                ("output1", try Tensor([Float](repeating: prototype, count: 128), shape: [1, 1, 8, 16])),
            ]
        }
        let good = try outputs(1, 1)
        #expect(await Self.reason(loading: good, later: good) == nil)
        #expect(await Self.reason(loading: good, later: try outputs(.nan, 1))?.contains("coefficient") == true)
        #expect(await Self.reason(loading: good, later: try outputs(1, .nan))?.contains("prototype") == true)
    }

    @Test("name the model, what was seen and the head")
    func words() {
        let text = VisionError.implausibleOutput(model: "reef", head: "yolov5", reason: "a score of 17.2").description
        for part in ["‘reef’", "a score of 17.2", "head: yolov5", "nereid inspect"] { #expect(text.contains(part)) }
    }
}
