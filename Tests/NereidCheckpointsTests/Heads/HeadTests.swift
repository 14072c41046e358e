// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Testing

@testable import NereidCheckpoints

/// What each head gives out, and what its metadata says, for both ends of the graph.
@Suite("Heads")
struct HeadTests {
    private let writer = NetworkWriter()

    private func convert(
        _ head: Pickled,
        _ options: ConversionOptions = ConversionOptions(),
        class name: String = "ultralytics.nn.tasks.DetectionModel"
    ) throws -> (converted: ConvertedGraph, graph: ReadGraph) {
        let checkpoint = try Pickled.entries(["model": writer.network(head, class: name)]).opened()
        let converted = try CheckpointConverter.convert(checkpoint, options: options)
        let graph = try ReadGraph(converted)
        #expect(graph.misplacedNames == [])
        #expect(graph.outputs == converted.description.outputs)
        return (converted, graph)
    }

    private func shapes(_ graph: ReadGraph) -> [String: [String]] {
        Dictionary(uniqueKeysWithValues: graph.outputs.map { ($0, graph.shape($0) ?? []) })
    }

    @Test("YOLOv5's Detect ends at its convolutions")
    func anchorMaps() throws {
        let (converted, graph) = try convert(writer.anchorHead(), class: "models.yolo.DetectionModel")
        #expect(
            shapes(graph) == [
                "map0": ["batch", "16", "height/8", "width/8"], "map1": ["batch", "16", "height/16", "width/16"],
            ]
        )
        #expect(graph.metadata["task"] == "detect")
        #expect(graph.metadata["nereid.framework"] == "yolov5")
        #expect(graph.metadata["nereid.layout"] == "yolov5.maps")
        #expect(graph.metadata["nereid.strides"] == "[8,16]")
        #expect(graph.metadata["stride"] == "16")
        #expect(graph.metadata["nereid.anchors"] == "[[[10.0,13.0],[16.0,30.0]],[[8.0,16.0],[32.0,64.0]]]")
        #expect(graph.metadata["nereid.suppression"] == "nms")
        #expect(graph.metadata["names"] == "{0: 'class 0', 1: 'class 1', 2: 'class 2'}")
        #expect(graph.metadata["nereid.converter"] == "\(CheckpointConverter.version)")
        #expect(graph.metadata["nereid.source"]?.count == 64)
        #expect(converted.description.strides == [8, 16])
        #expect(converted.description.metadataValue("task") == "detect")
        #expect(converted.description.metadataValue("nothing") == nil)
        #expect(converted.description.inputSize == nil)
    }

    @Test("YOLOv5's Detect decoded is one output")
    func decodedAnchors() throws {
        let (converted, graph) = try convert(
            writer.anchorHead(),
            ConversionOptions(ending: .decoded),
            class: "models.yolo.DetectionModel"
        )
        #expect(shapes(graph) == ["output0": ["batch", "anchors", "8"]])
        #expect(converted.description.layout == .decoded)
        #expect(graph.metadata["nereid.layout"] == "decoded")
    }

    @Test("YOLOv5's Segment adds mask coefficients and prototypes")
    func anchorMasks() throws {
        let head = writer.anchorHead(masks: 5)
        let (converted, graph) = try convert(head, class: "models.yolo.SegmentationModel")
        #expect(shapes(graph)["map0"] == ["batch", "26", "height/8", "width/8"])
        #expect(shapes(graph)["prototypes"] == ["batch", "5", "prototype rows", "prototype columns"])
        #expect(converted.description.task == .segment)
        #expect(graph.metadata["nereid.masks"] == "5")
        let decoded = try convert(head, ConversionOptions(ending: .decoded)).graph
        #expect(decoded.outputs == ["output0", "output1"])
        #expect(decoded.shape("output0") == ["batch", "anchors", "13"])
    }

    @Test("Ultralytics' Detect ends at its convolutions", arguments: [16, 1])
    func distanceMaps(bins: Int) throws {
        let (converted, graph) = try convert(writer.anchorFreeHead("Detect", bins: bins))
        #expect(
            shapes(graph) == [
                "boxes0": ["batch", "\(4 * bins)", "height/8", "width/8"],
                "classes0": ["batch", "3", "height/8", "width/8"],
                "boxes1": ["batch", "\(4 * bins)", "height/16", "width/16"],
                "classes1": ["batch", "3", "height/16", "width/16"],
            ]
        )
        #expect(converted.description.framework == .ultralytics)
        #expect(converted.description.layout == .distanceMaps)
        #expect(graph.metadata["nereid.reg_max"] == "\(bins)")
        #expect(graph.metadata["nereid.layout"] == "yolov8.maps")
        let decoded = try convert(
            writer.anchorFreeHead("Detect", bins: bins),
            ConversionOptions(ending: .decoded)
        ).graph
        #expect(shapes(decoded) == ["output0": ["batch", "7", "cells"]])
        #expect(decoded.operations.contains("Softmax") == (bins > 1))
    }

    @Test("Ultralytics' Segment gives coefficients and prototypes", arguments: ["Segment", "Segment26"])
    func masks(name: String) throws {
        let isNew = name == "Segment26"
        let prototypes = writer.prototypes(
            "ultralytics.nn.modules.block.\(isNew ? "Proto26" : "Proto")",
            isTransposed: true
        )
        let head = writer.anchorFreeHead(name, extra: 5, modules: [("proto", prototypes)], [("nm", .integer(5))])
        let (converted, graph) = try convert(head)
        #expect(
            graph.outputs == ["boxes0", "classes0", "masks0", "boxes1", "classes1", "masks1", "prototypes"]
        )
        #expect(graph.shape("masks1") == ["batch", "5", "height/16", "width/16"])
        #expect(graph.operations.contains("Resize") == isNew)
        #expect(converted.description.task == .segment)
        let decoded = try convert(head, ConversionOptions(ending: .decoded)).graph
        #expect(shapes(decoded)["output0"] == ["batch", "12", "cells"])
        #expect(shapes(decoded)["output1"]?[1] == "5")
    }

    @Test("keypoints become offsets from the cell's centre", arguments: ["Pose", "Pose26"])
    func keypoints(name: String) throws {
        let shape: (String, Pickled) = ("kpt_shape", .list([.integer(2), .integer(3)]))
        let head = writer.anchorFreeHead(name, classes: 1, extra: 6, [shape])
        let (converted, graph) = try convert(head)
        #expect(graph.shape("keypoints0") == ["batch", "6", "height/8", "width/8"])
        #expect(converted.description.task == .pose)
        #expect(graph.metadata["kpt_shape"] == "[2, 3]")

        let path = name == "Pose" ? "model.2.cv4.0.1" : "model.2.cv4_kpts.0"
        let read = try Pickled.entries(["model": writer.network(head)]).opened()
        let bias = try #require(
            name == "Pose"
                ? read.module(["model", "2", "cv4", "0", "1"]) : read.module(["model", "2", "cv4_kpts", "0"])
        ).numbers("bias")
        let factors: [Float] = name == "Pose" ? [2, 2, 1, 2, 2, 1] : [1, 1, 1, 1, 1, 1]
        let shifts: [Float] = name == "Pose" ? [-0.5, -0.5, 0, -0.5, -0.5, 0] : [0, 0, 0, 0, 0, 0]
        let expected = zip(bias, zip(factors, shifts)).map { $0 * $1.0 + $1.1 }
        #expect(graph.floats("\(path).bias") == expected)

        let decoded = try convert(head, ConversionOptions(ending: .decoded)).graph
        #expect(decoded.shape("output0") == ["batch", "11", "cells"])
    }

    @Test("keypoints without visibility")
    func flatKeypoints() throws {
        let shape: (String, Pickled) = ("kpt_shape", .list([.integer(4), .integer(2)]))
        let head = writer.anchorFreeHead("Pose", extra: 8, [shape])
        #expect(try convert(head, ConversionOptions(ending: .decoded)).graph.shape("output0")?[1] == "15")
        #expect(try convert(head).graph.metadata["kpt_shape"] == "[4, 2]")
    }

    @Test("angles are in radians", arguments: ["OBB", "OBB26"])
    func angles(name: String) throws {
        let head = writer.anchorFreeHead(name, extra: 1, [("ne", .integer(1))])
        let (converted, graph) = try convert(head)
        #expect(converted.description.task == .obb)
        #expect(graph.shape("angles0") == ["batch", "1", "height/8", "width/8"])
        // The older head gives a share of a half turn, the newer one the angle itself.
        #expect(graph.operations.contains("Sub") == (name == "OBB"))
        let decoded = try convert(head, ConversionOptions(ending: .decoded)).graph
        #expect(decoded.shape("output0") == ["batch", "8", "cells"])
        #expect(decoded.operations.contains("Cos"))
    }

    @Test("of two heads the one-to-many answers, but YOLOv10's one-to-one", arguments: ["Detect", "v10Detect"])
    func twoHeads(name: String) throws {
        let head = writer.anchorFreeHead(name, isOneToOne: true)
        let isOld = name == "v10Detect"
        func weight(_ choice: HeadChoice) throws -> String? {
            let graph = try convert(head, ConversionOptions(head: choice)).graph
            return graph.model.graph.initializer.map(\.name).first { $0.hasPrefix("model.2") }
        }
        let (many, one) = ("model.2.cv2.0.0.conv.weight", "model.2.one2one_cv2.0.0.conv.weight")
        #expect(try weight(.automatic) == (isOld ? one : many))
        #expect(try weight(.oneToMany) == many)
        #expect(try weight(.oneToOne) == one)

        let (converted, graph) = try convert(head, ConversionOptions(ending: .decoded, head: .oneToOne))
        #expect(!converted.description.needsSuppression)
        #expect(graph.metadata["nereid.suppression"] == "none")
        #expect(shapes(graph) == ["output0": ["batch", "answers", "6"]])
        #expect(graph.operations.count { $0 == "TopK" } == 2)
    }

    @Test("a head that is not there can't be chosen")
    func missingHeads() throws {
        let onlyMany = writer.anchorFreeHead("Detect")
        #expect(throws: ConversionError.headUnavailable(.oneToOne, path: "model.2")) {
            try convert(onlyMany, ConversionOptions(head: .oneToOne))
        }
        let onlyOne = writer.anchorFreeHead("Detect", isOneToOne: true, isOneToMany: false)
        #expect(throws: ConversionError.headUnavailable(.oneToMany, path: "model.2")) {
            try convert(onlyOne, ConversionOptions(head: .oneToMany))
        }
        #expect(try convert(onlyOne).graph.metadata["nereid.suppression"] == "none")
        for head in [writer.anchorHead(), writer.classifier("models.common.Classify")] {
            #expect(throws: ConversionError.headUnavailable(.oneToOne, path: "model.2")) {
                try convert(head, ConversionOptions(head: .oneToOne))
            }
        }
    }

    @Test("classification gives probabilities", arguments: GraphEnding.allCases)
    func classification(ending: GraphEnding) throws {
        for (name, preparation) in [
            ("models.common.Classify", "yolov5"), ("ultralytics.nn.modules.head.Classify", "ultralytics"),
        ] {
            let head = writer.classifier(name)
            let (converted, graph) = try convert(head, ConversionOptions(ending: ending), class: "models.yolo.Model")
            #expect(shapes(graph) == ["probabilities": ["batch", "3"]])
            #expect(graph.operations.suffix(3) == ["Conv", "Flatten", "Softmax"])
            #expect(converted.description.task == .classify)
            #expect(converted.description.layout == .probabilities)
            #expect(graph.metadata["nereid.preprocess"] == preparation)
            #expect(graph.metadata["nereid.strides"] == nil)
        }
    }

    @Test("classification before release 6.2 of YOLOv5")
    func oldClassification() throws {
        let pool = writer.module("torch.nn.modules.pooling.AdaptiveAvgPool2d", [("output_size", .integer(1))])
        let head = writer.module(
            "models.common.Classify",
            modules: [("aap", pool), ("conv", writer.convolution(12, 3)), ("flat", writer.activation("Flatten"))],
            [NetworkWriter.bothLayers]
        )
        let graph = try convert(head).graph
        #expect(
            graph.operations.suffix(6) == [
                "GlobalAveragePool", "GlobalAveragePool", "Concat", "Conv", "Flatten", "Softmax",
            ]
        )
    }

    @Test("each layer can be an output")
    func layerOutputs() throws {
        let checkpoint = try Pickled.entries(["model": writer.network(writer.anchorHead())]).opened()
        let converted = try CheckpointConverter.convert(checkpoint, options: ConversionOptions(layerOutputs: true))
        let graph = try ReadGraph(converted)
        #expect(graph.outputs == ["map0", "map1", "layer0", "layer1"])
        #expect(graph.shape("layer1") == ["batch", "8", "layer1 rows", "layer1 columns"])
        #expect(converted.description.outputs == ["map0", "map1"])
        #expect(graph.misplacedNames == [])
    }
}

extension Checkpoint {
    /// A module by the names that lead to it from the model.
    fileprivate func module(_ names: [String]) throws -> Module? {
        var module = root["model"].map { try? Module($0, path: "") } ?? nil
        for name in names {
            module = try module?.optionalChild(name)
        }
        return module
    }
}
