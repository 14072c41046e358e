// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

@Suite("Networks of other pictures than red, green and blue")
struct PictureChannelTests {
    private let writer = NetworkWriter()

    private func root(_ first: Pickled, isUltralytics: Bool) -> Pickled {
        let name = isUltralytics ? "ultralytics.nn.tasks.DetectionModel" : "models.yolo.DetectionModel"
        let head = isUltralytics ? writer.anchorFreeHead("Detect") : writer.anchorHead()
        let second = writer.block(4, 8, kernel: 3, stride: 2, [("i", .integer(1)), ("f", .integer(-1))])
        return .entries(["model": writer.model([first, second, head], class: name)])
    }

    private func first(_ channels: Int) -> Pickled {
        writer.block(channels, 4, kernel: 9, stride: 8, [("i", .integer(0)), ("f", .integer(-1))])
    }

    @Test("take grey that is made in the graph, when they are Ultralytics' and have one channel")
    func grey() throws {
        let graph = try ReadGraph(CheckpointConverter.convert(root(first(1), isUltralytics: true).opened()))
        let input = try #require(graph.model.graph.input.first)
        #expect(input.type.tensorType.shape.dim[1].dimValue == 3)
        #expect(graph.floats("grey.weight") == [0.299, 0.587, 0.114])
        #expect(graph.initialiser("grey.weight")?.dims == [1, 3, 1, 1])
        #expect(graph.model.graph.node.first?.opType == "Conv")
        #expect(graph.model.graph.node.first?.input == ["images", "grey.weight"])
        #expect(graph.misplacedNames == [])
        let usual = try ReadGraph(CheckpointConverter.convert(root(first(3), isUltralytics: true).opened()))
        #expect(usual.initialiser("grey.weight") == nil)
    }

    @Test("are refused by the number of their channels, not as damaged", arguments: [1, 2, 4, 6], [false, true])
    func refused(channels: Int, isUltralytics: Bool) throws {
        guard channels != 1 || !isUltralytics else { return }
        let error = #expect(throws: ConversionError.self) {
            try CheckpointConverter.convert(root(first(channels), isUltralytics: isUltralytics).opened())
        }
        #expect(error == .pictureChannels(count: channels, path: "model.0"))
        let text = try #require(error?.description)
        #expect(text.contains("takes pictures of \(channels) channel"))
        #expect(!text.contains("damaged"))
    }

    @Test("are told through YOLOv5's Focus, which puts four pixels beside each other")
    func focus() throws {
        func focus(_ channels: Int) -> Pickled {
            let inner = writer.block(4 * channels, 4, kernel: 3, stride: 4)
            return writer.module(
                "models.common.Focus",
                modules: [("conv", inner)],
                [("i", .integer(0)), ("f", .integer(-1))]
            )
        }
        #expect(try CheckpointModel(root(focus(3), isUltralytics: false).opened()).pictureChannels == 3)
        #expect(throws: ConversionError.pictureChannels(count: 4, path: "model.0")) {
            try CheckpointConverter.convert(root(focus(4), isUltralytics: false).opened())
        }
    }
}
