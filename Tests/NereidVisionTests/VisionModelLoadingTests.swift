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

    /// A model of two classes whose file says this of itself.
    private func model(_ metadata: [String: String], input: [Dimension]? = nil) async throws -> VisionModel {
        let output = try Tensor.numbers([Float](repeating: 0, count: 6 * 84), shape: [1, 6, 84], as: .float32)
        let engine = ScriptedEngine(
            input: input ?? [.fixed(1), .fixed(3), .fixed(64), .fixed(64)],
            outputs: [("output0", output)],
            metadata: metadata
        )
        var configuration = VisionModelConfiguration()
        configuration.head = .yolov8
        return try await VisionModel.load(
            GraphSource(name: "reef", content: .bytes([])),
            on: engine,
            configuration: configuration,
            imaging: Fixtures.imaging,
            logger: Fixtures.logger
        )
    }

    @Test("warns of names that can't be read, and numbers the classes")
    func unreadableNames() async throws {
        let named = try await model(["names": #"{"0": "red", "1": "green"}"#])
        #expect(named.labels.names == ["red", "green"])
        #expect(named.warnings.isEmpty)
        let broken = try await model(["names": "<red, green>", "stride": "many"])
        #expect(broken.labels.names == ["class 0", "class 1"])
        #expect(broken.warnings.count == 2)
        #expect(
            broken.warnings.first
                == "the metadata's ‘stride’ (‘many’) is not a number of pixels above zero; it is passed over"
        )
        #expect(broken.warnings.last?.contains("the metadata's ‘names’ can't be read (‘<red, green>’)") == true)
        #expect(try await model([:]).warnings.isEmpty)
        let shifted = try await model(["names": "{1: 'red', 2: 'green'}"])
        #expect(shifted.labels.names == ["class 0", "class 1"])
        #expect(shifted.warnings.count == 1)
        let converted = try await model(["nereid.warnings": "['the checkpoint has no names']"])
        #expect(converted.warnings == ["the checkpoint has no names"])
    }

    @Test("refuses a converted graph whose metadata can't be read, by the key")
    func unreadableMetadata() async {
        await #expect(
            throws: VisionError.unreadableMetadata(
                model: "reef",
                key: "nereid.suppression",
                value: "some",
                expected: "one of nms, none"
            )
        ) { try await model(["nereid.layout": "decoded", "nereid.suppression": "some"]) }
    }

    @Test("refuses inputs of another number of channels by that number", arguments: [1, 2, 4, 12])
    func channels(count: Int) async throws {
        for input in [
            [.fixed(1), .fixed(count), .fixed(64), .fixed(64)], [.fixed(1), .fixed(64), .fixed(64), .fixed(count)],
        ] as [[Dimension]] {
            let error = await #expect(throws: VisionError.self) { try await model([:], input: input) }
            #expect(error?.description.contains("its input has \(count) channel") == true)
            #expect(error?.description.contains("Nereid feeds 3: red, green and blue") == true)
        }
    }

    @Test("says why it took the head")
    func reason() async throws {
        let model = try await Fixtures.model("blocks-v8")
        #expect(model.headReason == "7 planes = 4 + 3 classes, as many as there are labels")
    }
}
