// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidModels

@Suite("Models errors")
struct ModelsErrorTests {
    static let errors: [(ModelsError, String)] = [
        (.notFound(name: "cod", served: ["reef", "demo"]), "model ‘cod’ not found; served here: reef, demo"),
        (.notFound(name: "cod", served: []), "model ‘cod’ not found: no model is served here yet"),
        (.loading(name: "reef"), "model ‘reef’ is still being loaded; ask again in a moment"),
        (
            .broken(name: "reef", reason: "it is cut short"),
            "model ‘reef’ can't be served until its file is replaced: it is cut short"
        ),
        (
            .noSuchPath("/x"),
            "there is no file or folder ‘/x’. Give \(ModelsError.kinds)"
        ),
        (
            .notAModel(path: "/x.onnx", found: "a text file", advice: "fetch it again"),
            "‘/x.onnx’ is not an ONNX file or a checkpoint but a text file; fetch it again"
        ),
        (
            .unusableGraph(path: "/x.onnx", reason: "it is cut short; fetch it again"),
            "the ONNX file ‘/x.onnx’ can't be served: it is cut short; fetch it again"
        ),
        (
            .unsupportedFile(path: "/x.txt", reason: "it is text"),
            "‘/x.txt’ is not a model that this version serves: it is text"
        ),
        (
            .badName("a/b"),
            "‘a/b’ can't be a model's name: names are 1 to 128 characters without ‘/’, control characters and characters that "
                + "change the direction of writing"
        ),
        (.settings(path: "/x.yaml", reason: "it is empty"), "the settings in /x.yaml can't be used: it is empty"),
        (
            .configuration(path: "/m.pth", found: []),
            "‘/m.pth’ are weights without their network: there is no configuration of Detectron2 beside them. "
                + "Put the config.yaml of its training into the same folder, under the weights' name if there are others, "
                + "or give CONFIG.yaml+WEIGHTS.pth"
        ),
        (
            .configuration(path: "/m.pth", found: ["/a.yaml", "/b.yaml"]),
            "beside ‘/m.pth’ there are several configurations of Detectron2: /a.yaml, /b.yaml. "
                + "Put the config.yaml of its training into the same folder, under the weights' name if there are others, "
                + "or give CONFIG.yaml+WEIGHTS.pth"
        ),
        (
            .nameTaken(name: "reef", path: "/b", by: "/a"),
            "two files ask for the name ‘reef’: /a has it, /b is left out. Rename one, or give NAME=PATH"
        ),
    ]

    @Test("say what happened, to what, and what to do", arguments: errors)
    func text(error: ModelsError, text: String) {
        #expect(error.description == text)
    }
}
