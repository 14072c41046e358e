// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

@Suite("Loading a vision model")
struct VisionModelLoadingTests {
    @Test("fails for a graph whose outputs no head knows, saying what they are")
    func unknownHead() async throws {
        let error = await #expect(throws: VisionError.self) { try await Fixtures.model("identity-unknown") }
        let text = try #require(error?.description)
        #expect(text.contains("‘identity-unknown’"))
        #expect(text.contains("output0 [1, 3, 7, 7, 7]"))
    }

    @Test("fails when the settings ask for a head that does not fit")
    func headDoesNotFit() async throws {
        let error = await #expect(throws: VisionError.self) {
            try await Fixtures.model("blocks-v8") { $0.head = .yolov5 }
        }
        #expect(error?.description.contains("ask for the head ‘yolov5’") == true)
        #expect(try await Fixtures.model("blocks-v8") { $0.head = .yolov8 }.headKind == .yolov8)
    }

    @Test("fails when the settings name a task that the outputs are not of")
    func task() async throws {
        #expect(try await Fixtures.model("blocks-v8").task == .detect)
        await #expect(throws: VisionError.taskDoesNotFit(model: "blocks-v8", task: "segment", does: "detect")) {
            try await Fixtures.model("blocks-v8") { $0.task = .segment }
        }
        await #expect(throws: VisionError.taskDoesNotFit(model: "blocks-v8", task: "classify", does: "detect")) {
            try await Fixtures.model("blocks-v8") { $0.task = .classify }
        }
    }

    @Test("fails when there are not as many labels as classes")
    func labelCount() async {
        await #expect(throws: VisionError.labelCount(model: "blocks-v8", labels: 2, classes: 3)) {
            try await Fixtures.model("blocks-v8") { $0.labels = ["a", "b"] }
        }
    }

    @Test("fails when a fixed input is asked to be of another size")
    func inputSize() async {
        await #expect(
            throws: VisionError.inputSize(model: "blocks-fixed-v8", asked: "320×320", takes: "exactly 160×160")
        ) {
            try await Fixtures.model("blocks-fixed-v8") { $0.inputSize = PixelSize(width: 320, height: 320) }
        }
    }

    @Test("passes on what the engine says of a file that is no graph", arguments: ["broken", "there-is-none"])
    func engine(name: String) async {
        let error = await #expect(throws: InferenceError.self) { try await Fixtures.model(name) }
        #expect(error?.description.contains("‘\(name)’") == true)
    }

    @Test("fails when the first run fails")
    func firstRun() async {
        await #expect(throws: InferenceError.self) {
            try await Fixtures.model("failing") { $0.inputSize = PixelSize(width: 176, height: 176) }
        }
        await #expect(throws: InferenceError.self) { try await Fixtures.model("unsupported-output") }
    }

    @Test("says why it took the head")
    func reason() async throws {
        let model = try await Fixtures.model("blocks-v8")
        #expect(model.headReason == "7 planes = 4 + 3 classes, as many as there are labels")
    }
}
