// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import Testing

@testable import NereidVision

@Suite("Model input")
struct ModelInputTests {
    static let free: [Dimension] = [.free(name: "batch"), .fixed(3), .free(name: "height"), .free(name: "width")]

    static func graph(
        _ shape: [Dimension],
        _ elementType: ElementType = .float32,
        metadata: [String: String] = [:]
    ) -> GraphDescription {
        GraphDescription(
            inputs: [TensorDescription(name: "images", elementType: elementType, shape: shape)],
            outputs: [],
            metadata: metadata
        )
    }

    static func fixed(_ lengths: Int...) -> [Dimension] { lengths.map { .fixed($0) } }

    static func input(
        _ graph: GraphDescription,
        _ kind: HeadKind = .yolov8,
        _ configure: (inout VisionModelConfiguration) -> Void = { _ in }
    ) throws -> ModelInput {
        var configuration = VisionModelConfiguration()
        configure(&configuration)
        return try RawInput(graph: graph, model: "reef").completed(
            for: kind,
            configuration: configuration,
            model: "reef"
        )
    }

    @Test("of a free size is 640 × 640, fitted with as little padding as the stride allows")
    func freeSize() throws {
        let input = try Self.input(Self.graph(Self.free))
        #expect(input.size == PixelSize(width: 640, height: 640))
        #expect((input.fit, input.isSizeFree, input.fixedBatch, input.stride) == (.rect, true, nil, 32))
        #expect(input.letterbox(for: PixelSize(width: 1920, height: 1080)).input == PixelSize(width: 640, height: 384))
        #expect(input.shape(batch: 2, size: PixelSize(width: 640, height: 384)) == [2, 3, 384, 640])
    }

    @Test("of a fixed size is that size, padded to it")
    func fixedSize() throws {
        let input = try Self.input(Self.graph(Self.fixed(4, 3, 384, 640), .float16))
        #expect(input.size == PixelSize(width: 640, height: 384))
        #expect((input.fit, input.isSizeFree, input.fixedBatch) == (.square, false, 4))
        #expect(input.encoding.element == .float16)
        #expect(input.letterbox(for: PixelSize(width: 100, height: 100)).input == input.size)
    }

    @Test("may have its channels last")
    func interleaved() throws {
        let input = try Self.input(Self.graph(Self.fixed(1, 320, 416, 3)))
        #expect(input.size == PixelSize(width: 416, height: 320))
        #expect(input.encoding.layout == .interleaved)
        #expect(input.shape(batch: 1, size: input.size) == [1, 320, 416, 3])
        let free = [Dimension.free(name: nil), .free(name: nil), .free(name: nil), .fixed(3)]
        #expect(try Self.input(Self.graph(free)).encoding.layout == .interleaved)
        // Three rows and three channels: the usual order is meant.
        #expect(try Self.input(Self.graph(Self.fixed(1, 3, 96, 3))).encoding.layout == .planar)
    }

    @Test("of a classifier is 224 × 224 where it is free, and any size that is asked for")
    func classifier() throws {
        #expect(try Self.input(Self.graph(Self.free), .classifier).size == PixelSize(width: 224, height: 224))
        let odd = PixelSize(width: 299, height: 299)
        #expect(try Self.input(Self.graph(Self.free), .classifier) { $0.inputSize = odd }.size == odd)
        let told = try RawInput(graph: Self.graph(Self.free, metadata: ["task": "classify"]), model: "reef")
        #expect(try told.nominalSize(.init(), model: "reef") == PixelSize(width: 224, height: 224))
    }

    @Test("takes bytes as they are")
    func bytes() throws {
        for kind in HeadKind.allCases {
            let encoding = try Self.input(Self.graph(Self.free, .uint8), kind).encoding
            #expect((encoding.element, encoding.scale) == (.uint8, 1))
            #expect((encoding.mean, encoding.standardDeviation) == (.zero, .one))
        }
        let scaled = try Self.input(Self.graph(Self.free, .uint8)) { $0.scale = 0.5 }
        #expect(scaled.encoding.scale == 0.5)
    }

    static let metadata: [([String: String], PixelSize, Int)] = [
        (["imgsz": "[320, 416]"], PixelSize(width: 416, height: 320), 32),
        (["imgsz": "1280", "stride": "64"], PixelSize(width: 1280, height: 1280), 64),
        (["stride": "[8, 16]"], PixelSize(width: 640, height: 640), 16),
        (["stride": "32.0"], PixelSize(width: 640, height: 640), 32),
        (["imgsz": "[-1, 0]", "stride": "-3"], PixelSize(width: 640, height: 640), 32),
        (["imgsz": "[640]", "stride": "nonsense"], PixelSize(width: 640, height: 640), 32),
        (["imgsz": "system('true')", "stride": "1e99"], PixelSize(width: 640, height: 640), 32),
    ]

    @Test("takes size and stride from the metadata", arguments: metadata)
    func hints(metadata: [String: String], size: PixelSize, stride: Int) throws {
        let input = try Self.input(Self.graph(Self.free, metadata: metadata))
        #expect((input.size, input.stride) == (size, stride))
    }

    @Test("is what the settings say where the graph leaves a choice")
    func settings() throws {
        let input = try Self.input(Self.graph(Self.free, metadata: ["imgsz": "640"])) {
            $0.inputSize = PixelSize(width: 320, height: 256)
            $0.fit = .stretch
            $0.channels = .bgr
            $0.scale = 1
            $0.mean = [1, 2, 3]
            $0.standardDeviation = [4, 5, 6]
        }
        #expect((input.size, input.fit) == (PixelSize(width: 320, height: 256), .stretch))
        let encoding = PixelEncoding(channels: .bgr, scale: 1, mean: [1, 2, 3], standardDeviation: [4, 5, 6])
        #expect(input.encoding == encoding)
    }

    @Test("is fed as the head's training code feeds it")
    func training() throws {
        let graph = Self.graph(Self.fixed(1, 3, 416, 416))
        let yolox = try Self.input(graph, .yolox)
        #expect((yolox.encoding.channels, yolox.encoding.scale, yolox.preprocessing.placement) == (.bgr, 1, .topLeft))
        let ssd = try Self.input(graph, .ssd)
        #expect((ssd.encoding.mean[0], ssd.encoding.standardDeviation[0], ssd.fit) == (127, 128, .stretch))
        #expect(try Self.input(graph, .fastestV2).encoding.channels == .bgr)
    }

    @Test("is larger for tall pictures if a rule says so")
    func sizeRule() throws {
        let rule = VisionModelConfiguration.SizeRule(tallerThan: 960, size: 1280)
        let input = try Self.input(Self.graph(Self.free)) {
            $0.sizeRule = rule
            $0.fit = .square
        }
        #expect(input.letterbox(for: PixelSize(width: 1280, height: 960)).input == PixelSize(width: 640, height: 640))
        #expect(input.letterbox(for: PixelSize(width: 1280, height: 961)).input == PixelSize(width: 1280, height: 1280))
    }

    static let refusals: [(GraphDescription, String)] = [
        (GraphDescription(inputs: [], outputs: []), "it has 0 inputs"),
        (
            GraphDescription(
                inputs: ["a", "b"].map { TensorDescription(name: $0, elementType: .float32, shape: free) },
                outputs: []
            ), "it has 2 inputs"
        ),
        (graph(free, .int64), "its input holds int64"),
        (
            GraphDescription(
                inputs: [TensorDescription(name: "x", elementTypeName: "float64", shape: free)],
                outputs: []
            ), "its input holds float64"
        ),
        (graph(fixed(3, 640, 640)), "its input has 3 dimensions, not 4"),
        (
            graph(fixed(1, 1, 640, 640)),
            "its input has 1 channel, and Nereid feeds 3: red, green and blue. "
                + "Train it for 3 channels, or export it with a graph that makes its channels of RGB"
        ),
    ]

    @Test("is refused when it is not one picture", arguments: refusals)
    func refused(graph: GraphDescription, reason: String) throws {
        let error = #expect(throws: VisionError.self) { try RawInput(graph: graph, model: "reef") }
        let text = try #require(error?.description)
        #expect(text.hasPrefix("model ‘reef’ does not take one picture: \(reason). Its inputs: "))
        for input in graph.inputs { #expect(text.contains(input.description)) }
        #expect(text.contains("[N,3,H,W]"))
    }

    @Test("says which sizes it takes when asked for another")
    func sizes() {
        func text(_ shape: [Dimension], _ configure: (inout VisionModelConfiguration) -> Void) -> String? {
            #expect(throws: VisionError.self) { try Self.input(Self.graph(shape), .yolov8, configure) }?.description
        }
        let fixed = Self.fixed(1, 3, 640, 640)
        let small = PixelSize(width: 320, height: 320)
        #expect(text(fixed) { $0.inputSize = small }?.contains("of 320×320: it takes exactly 640×640") == true)
        #expect(text(fixed) { $0.fit = .rect }?.contains("use letterbox: square") == true)
        let rule = VisionModelConfiguration.SizeRule(tallerThan: 960, size: 1280)
        #expect(text(fixed) { $0.sizeRule = rule }?.contains("1280×1280 (size_rule): it takes exactly 640×640") == true)
        let odd = PixelSize(width: 100, height: 100)
        let oddRule = VisionModelConfiguration.SizeRule(tallerThan: 960, size: 100)
        #expect(text(Self.free) { $0.sizeRule = oddRule }?.contains("(size_rule): it takes multiples of 32") == true)
        #expect(text(Self.free) { $0.inputSize = odd }?.contains("of 100×100: it takes multiples of 32") == true)
    }
}
