// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

@Suite("Errors of conversion")
struct ConversionErrorTests {
    static let messages: [(ConversionError, String)] = [
        (
            .architectureMissing(found: "a dictionary of 3 entries"),
            """
            the checkpoint holds weights without the network that they belong to (a dictionary of 3 entries); \
            save the whole model (torch.save({'model': model}, path)), or export it to ONNX with the code that defines it
            """
        ),
        (
            .modelMissing(found: "its keys are ‘a’"),
            "the checkpoint holds no model: its keys are ‘a’; YOLOv5 and Ultralytics keep it under ‘model’ or ‘ema’"
        ),
        (
            .notAModule(path: "", found: "the result of a call of ‘os.system’"),
            """
            the model in the checkpoint is not a module but the result of a call of ‘os.system’; nothing in a \
            checkpoint is ever executed, so if the framework wrote this file, export the model to ONNX there
            """
        ),
        (
            .unsupportedModule(className: "models.common.Cxncat", path: "model.18"),
            """
            ‘model.18’ in the checkpoint is a ‘models.common.Cxncat’, which Nereid can't convert; export the model to \
            ONNX with the framework that trained it, or add the class as docs/checkpoints.md says
            """
        ),
        (
            .unsupportedSetting(path: "model.1", reason: "it has output padding"),
            """
            ‘model.1’ in the checkpoint can't be converted: it has output padding; export the model to ONNX with the \
            framework that trained it
            """
        ),
        (
            .inconsistent(path: "model.1", reason: "its gain is 0"),
            """
            ‘model.1’ in the checkpoint is damaged: its gain is 0; save the checkpoint again with the framework that \
            trained it
            """
        ),
        (
            .nestedTooDeeply(path: "model.1", limit: 48),
            """
            ‘model.1’ in the checkpoint lies more than 48 modules deep or within itself; the checkpoint is damaged or \
            made to do harm
            """
        ),
        (
            .tooManyModules(limit: 50),
            "the network has more than 50 modules; the checkpoint is damaged or made to do harm"
        ),
        (
            .headUnavailable(.oneToOne, path: "model.22"),
            """
            ‘model.22’ in the checkpoint has no one-to-one head; use the one-to-many head with non-maximum suppression
            """
        ),
        (
            .headUnavailable(.oneToMany, path: "model.22"),
            "‘model.22’ in the checkpoint has no one-to-many head any more; use the one-to-one head"
        ),
        (
            .graphTooLarge(byteCount: 30, limit: 20),
            """
            the graph would take 30 bytes or more and ONNX files end at 20; keep the weights in half precision
            """
        ),
        (
            .weightsRepeated(byteCount: 30, checkpointByteCount: 2),
            """
            the graph would take 30 bytes from a checkpoint of 2: its weights are used over and over; the checkpoint \
            is damaged or made to do harm
            """
        ),
        (.writingFailed(path: "/a/b", reason: "no space"), "‘/a/b’ cannot be written: no space"),
    ]

    @Test("each says what happened, to what, and what to do", arguments: messages.indices)
    func message(index: Int) {
        let (error, message) = Self.messages[index]
        #expect(error.description == message)
    }

    @Test("names from a file are shown on one line, shortened")
    func hostileNames() {
        let name = "a\n\u{1B}[31m\u{202E}" + String(repeating: "x", count: 10_000)
        let error = ConversionError.unsupportedModule(className: name, path: name)
        #expect(error.description.count < 600)
        #expect(!error.description.contains { $0.isNewline })
        #expect(error.description.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
    }
}
