// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference
import TestSupport
import Testing

@testable import NereidCheckpoints
@testable import NereidVision

/// Networks of every kind that is read, narrow and with random weights: they are converted without anything missing or left
/// over, and answer.
@Suite("Networks of Detectron2")
struct Detectron2NetworkTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let configuration: String
        let weights: @Sendable () -> Detectron2Weights
        /// Graphs: the network and what follows.
        let stages: [String]
        let stride: Int

        var testDescription: String { name }
    }

    static let samples = [retinaNet, groupNormalised, byLevel, resNeXt, shallow, c4, dilated]

    private static let narrow = "STEM_OUT_CHANNELS: 8, RES2_OUT_CHANNELS: 32, WIDTH_PER_GROUP: 8"

    static let retinaNet = Sample(
        name: "RetinaNet",
        configuration: """
            _BASE_: Base-RetinaNet.yaml
            MODEL:
              RESNETS: {\(narrow)}
              FPN: {OUT_CHANNELS: 16}
              RETINANET: {NUM_CLASSES: 3, NUM_CONVS: 2}
            """,
        weights: {
            var weights = retinaNetBackbone(.frozen)
            for tower in ["cls_subnet", "bbox_subnet"] {
                for index in [0, 2] { weights.convolution("head.\(tower).\(index)", 16, 16, 3) }
            }
            return retinaNetHead(weights, channels: 16)
        },
        stages: [],
        stride: 32
    )

    static let groupNormalised = Sample(
        name: "RetinaNet with group normalisation everywhere",
        configuration: """
            _BASE_: Base-RetinaNet.yaml
            MODEL:
              RESNETS: {STEM_OUT_CHANNELS: 32, RES2_OUT_CHANNELS: 64, WIDTH_PER_GROUP: 32, NORM: GN}
              FPN: {OUT_CHANNELS: 32, NORM: GN, FUSE_TYPE: avg}
              RETINANET: {NUM_CLASSES: 3, NUM_CONVS: 1, NORM: GN}
            """,
        weights: {
            var weights = Detectron2Weights()
            weights.convolution("backbone.bottom_up.stem.conv1", 3, 32, 7, .group, hasBias: false)
            weights.residual(
                "backbone.bottom_up.",
                blocks: [3, 4, 6, 3],
                inputs: 32,
                outputs: 64,
                inner: 32,
                .group
            )
            weights.pyramid([3, 4, 5], inputs: { 64 << ($0 - 2) }, channels: 32, .group)
            weights.convolution("backbone.top_block.p6", 512, 32, 3)
            weights.convolution("backbone.top_block.p7", 32, 32, 3)
            for tower in ["cls_subnet", "bbox_subnet"] {
                weights.convolution("head.\(tower).0", 32, 32, 3)
                weights.normalisation("head.\(tower).1", 32, .group)
            }
            return retinaNetHead(weights, channels: 32)
        },
        stages: [],
        stride: 32
    )

    static let byLevel = Sample(
        name: "RetinaNet with statistics of each level",
        configuration: """
            _BASE_: Base-RetinaNet.yaml
            MODEL:
              RESNETS: {\(narrow)}
              FPN: {OUT_CHANNELS: 16}
              RETINANET: {NUM_CLASSES: 3, NUM_CONVS: 1, NORM: BN}
            """,
        weights: {
            var weights = retinaNetBackbone(.frozen)
            for tower in ["cls_subnet", "bbox_subnet"] {
                weights.convolution("head.\(tower).0", 16, 16, 3)
                weights.normalisation("head.\(tower).1", 16, .group)
                for level in 0..<5 {
                    for part in ["running_mean", "running_var"] {
                        weights.add("head.\(tower).1.\(level).\(part)", [16])
                    }
                }
            }
            return retinaNetHead(weights, channels: 16)
        },
        stages: [],
        stride: 32
    )

    static let resNeXt = Sample(
        name: "Mask R-CNN on a ResNeXt with a pyramid",
        configuration: """
            _BASE_: mask_rcnn_X_101_32x8d_FPN_3x.yaml
            MODEL:
              RESNETS: {STEM_OUT_CHANNELS: 8, RES2_OUT_CHANNELS: 32, WIDTH_PER_GROUP: 2, NUM_GROUPS: 4, DEPTH: 50}
              FPN: {OUT_CHANNELS: 16}
              ROI_HEADS: {NUM_CLASSES: 3}
              ROI_BOX_HEAD: {FC_DIM: 24, NUM_CONV: 1, CONV_DIM: 16, NUM_FC: 1, CLS_AGNOSTIC_BBOX_REG: True}
              ROI_MASK_HEAD: {CONV_DIM: 16, NUM_CONV: 1, CLS_AGNOSTIC_MASK: True}
            """,
        weights: {
            var weights = Detectron2Weights()
            weights.convolution("backbone.bottom_up.stem.conv1", 3, 8, 7, .frozen, hasBias: false)
            weights.residual("backbone.bottom_up.", blocks: [3, 4, 6, 3], inputs: 8, outputs: 32, inner: 8, groups: 4)
            weights.pyramid([2, 3, 4, 5], inputs: { 32 << ($0 - 2) }, channels: 16)
            weights.proposals(channels: 16, anchors: 3)
            weights.convolution("roi_heads.box_head.conv1", 16, 16, 3)
            weights.linear("roi_heads.box_head.fc1", 16 * 49, 24)
            weights.linear("roi_heads.box_predictor.cls_score", 24, 4)
            weights.linear("roi_heads.box_predictor.bbox_pred", 24, 4)
            weights.convolution("roi_heads.mask_head.mask_fcn1", 16, 16, 3)
            weights.add("roi_heads.mask_head.deconv.weight", [16, 16, 2, 2])
            weights.add("roi_heads.mask_head.deconv.bias", [16])
            weights.convolution("roi_heads.mask_head.predictor", 16, 1, 1)
            return weights
        },
        stages: ["boxes", "masks"],
        stride: 32
    )

    static let shallow = Sample(
        name: "Faster R-CNN on a ResNet of 18 layers",
        configuration: """
            _BASE_: Base-RCNN-FPN.yaml
            MODEL:
              RESNETS: {DEPTH: 18, STEM_OUT_CHANNELS: 8, RES2_OUT_CHANNELS: 8}
              FPN: {OUT_CHANNELS: 16}
              RPN: {CONV_DIMS: [16, 8]}
              ROI_HEADS: {NUM_CLASSES: 2}
              ROI_BOX_HEAD: {FC_DIM: 24, POOLER_TYPE: ROIAlign, USE_SIGMOID_CE: True}
            """,
        weights: {
            var weights = Detectron2Weights()
            weights.convolution("backbone.bottom_up.stem.conv1", 3, 8, 7, .frozen, hasBias: false)
            var inputs = 8
            for stage in 0..<4 {
                for block in 0..<2 {
                    let (path, width) = ("backbone.bottom_up.res\(stage + 2).\(block)", 8 << stage)
                    if inputs != width {
                        weights.convolution("\(path).shortcut", inputs, width, 1, .frozen, hasBias: false)
                    }
                    weights.convolution("\(path).conv1", inputs, width, 3, .frozen, hasBias: false)
                    weights.convolution("\(path).conv2", width, width, 3, .frozen, hasBias: false)
                    inputs = width
                }
            }
            weights.pyramid([2, 3, 4, 5], inputs: { 8 << ($0 - 2) }, channels: 16)
            weights.convolution("proposal_generator.rpn_head.conv.conv0", 16, 16, 3)
            weights.convolution("proposal_generator.rpn_head.conv.conv1", 16, 8, 3)
            weights.convolution("proposal_generator.rpn_head.objectness_logits", 8, 3, 1)
            weights.convolution("proposal_generator.rpn_head.anchor_deltas", 8, 12, 1)
            weights.linear("roi_heads.box_head.fc1", 16 * 49, 24)
            weights.linear("roi_heads.box_head.fc2", 24, 24)
            weights.predictor(inputs: 24, classes: 2)
            return weights
        },
        stages: ["boxes"],
        stride: 32
    )

    static let c4 = Sample(
        name: "Mask R-CNN with the last stage for a head",
        configuration: """
            _BASE_: mask_rcnn_R_50_C4_1x.yaml
            MODEL:
              RESNETS: {\(narrow)}
              RPN: {PRE_NMS_TOPK_TEST: 100, POST_NMS_TOPK_TEST: 20}
              ROI_HEADS: {NUM_CLASSES: 3}
              ROI_MASK_HEAD: {CONV_DIM: 16}
            """,
        weights: {
            var weights = Detectron2Weights()
            weights.convolution("backbone.stem.conv1", 3, 8, 7, .frozen, hasBias: false)
            weights.residual("backbone.", blocks: [3, 4, 6], inputs: 8, outputs: 32, inner: 8)
            weights.residual(
                "roi_heads.",
                blocks: [3],
                firstStage: 3,
                inputs: 128,
                outputs: 256,
                inner: 64
            )
            weights.proposals(channels: 128, anchors: 15)
            weights.predictor(inputs: 256, classes: 3)
            weights.add("roi_heads.mask_head.deconv.weight", [256, 16, 2, 2])
            weights.add("roi_heads.mask_head.deconv.bias", [16])
            weights.convolution("roi_heads.mask_head.predictor", 16, 3, 1)
            return weights
        },
        stages: ["boxes", "masks"],
        stride: 1
    )

    static let dilated = Sample(
        name: "Faster R-CNN with a dilated last stage",
        configuration: """
            _BASE_: faster_rcnn_R_50_DC5_1x.yaml
            MODEL:
              RESNETS: {\(narrow)}
              RPN: {PRE_NMS_TOPK_TEST: 100, POST_NMS_TOPK_TEST: 20}
              ROI_HEADS: {NUM_CLASSES: 3}
              ROI_BOX_HEAD: {FC_DIM: 24}
            """,
        weights: {
            var weights = Detectron2Weights()
            weights.convolution("backbone.stem.conv1", 3, 8, 7, .frozen, hasBias: false)
            weights.residual("backbone.", blocks: [3, 4, 6, 3], inputs: 8, outputs: 32, inner: 8)
            weights.proposals(channels: 256, anchors: 15)
            weights.linear("roi_heads.box_head.fc1", 256 * 49, 24)
            weights.linear("roi_heads.box_head.fc2", 24, 24)
            weights.predictor(inputs: 24, classes: 3)
            return weights
        },
        stages: ["boxes"],
        stride: 1
    )

    private static func retinaNetBackbone(_ normalisation: Detectron2Weights.Normalisation) -> Detectron2Weights {
        var weights = Detectron2Weights()
        weights.convolution("backbone.bottom_up.stem.conv1", 3, 8, 7, normalisation, hasBias: false)
        weights.residual("backbone.bottom_up.", blocks: [3, 4, 6, 3], inputs: 8, outputs: 32, inner: 8, normalisation)
        weights.pyramid([3, 4, 5], inputs: { 32 << ($0 - 2) }, channels: 16)
        weights.convolution("backbone.top_block.p6", 256, 16, 3)
        weights.convolution("backbone.top_block.p7", 16, 16, 3)
        return weights
    }

    private static func retinaNetHead(_ weights: Detectron2Weights, channels: Int) -> Detectron2Weights {
        var weights = weights
        weights.convolution("head.cls_score", channels, 27, 3)
        weights.convolution("head.bbox_pred", channels, 36, 3)
        return weights
    }

    private static func configuration(_ sample: Sample) throws -> Detectron2Configuration {
        let folder = try TemporaryFolder()
        return try Detectron2Configuration(path: try folder.write(sample.configuration, to: "config.yaml"))
    }

    @Test("are converted whole, and answer with objects in the picture", arguments: samples)
    func networks(sample: Sample) async throws {
        let graphs = try Detectron2Converter.convert(
            sample.weights().checkpoint(),
            configuration: Self.configuration(sample)
        )
        #expect(graphs.warnings.isEmpty, "\(graphs.warnings)")
        #expect(graphs.named.map(\.name) == [""] + sample.stages)
        #expect(graphs.network.description.metadataValue("stride") == String(sample.stride))
        let model = try await Fixtures.model(graphs, name: sample.name) {
            $0.inputSize = PixelSize(width: 160, height: 120)
        }
        #expect(model.task == (sample.stages.contains("masks") ? .segment : .detect))
        #expect(model.defaults.confidence == 0.05)
        #expect(model.defaults.maxDetections == 100)
        var generator = SeededGenerator(seed: 7)
        let pixels = (0..<150 * 130 * 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let pictures = [
            try Picture(width: 150, height: 130, pixels: pixels),
            try Picture(width: 130, height: 150, pixels: pixels),
        ]
        for (picture, prediction) in zip(pictures, try await model.predict(pictures, options: .init(confidence: 0))) {
            #expect(!prediction.detections.isEmpty)
            #expect(prediction.detections.count <= 100)
            for detection in prediction.detections {
                #expect(detection.box.width > 0 && detection.box.height > 0)
                #expect(detection.box.x1 >= 0 && detection.box.x2 <= Float(picture.width))
                #expect(detection.box.y1 >= 0 && detection.box.y2 <= Float(picture.height))
                #expect((0...1).contains(detection.score))
                #expect((detection.mask != nil) == (model.task == .segment))
            }
        }
        await model.shutDown()
    }

    @Test("answer for a batch as for each picture by itself")
    func batch() async throws {
        let sample = Self.resNeXt
        let graphs = try Detectron2Converter.convert(
            sample.weights().checkpoint(),
            configuration: Self.configuration(sample)
        )
        let model = try await Fixtures.model(graphs, name: sample.name) {
            $0.inputSize = PixelSize(width: 160, height: 120)
            $0.maxBatch = 2
            $0.defaults.confidence = 0.2
            $0.defaults.maxDetections = 5
        }
        var generator = SeededGenerator(seed: 3)
        let pictures = try (0..<2).map { _ in
            let pixels = (0..<150 * 130 * 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
            return try Picture(width: 150, height: 130, pixels: pixels)
        }
        let together = try await model.predict(pictures)
        for (picture, prediction) in zip(pictures, together) {
            let alone = try await model.predict([picture])[0].detections
            #expect(prediction.detections.count == alone.count)
            for (one, other) in zip(prediction.detections, alone) {
                #expect(one.classID == other.classID && abs(one.score - other.score) < 1e-4)
                #expect(one.box.isNear(other.box, within: 0.01))
            }
        }
        await model.shutDown()
    }

    @Test("take the number of classes from the weights, and fewer labels than classes")
    func classCount() async throws {
        let folder = try TemporaryFolder()
        let configuration = try Detectron2Configuration(
            path: folder.write(
                Self.retinaNet.configuration.replacing("NUM_CLASSES: 3", with: "NUM_CLASSES: 80"),
                to: "config.yaml"
            )
        )
        let graphs = try Detectron2Converter.convert(
            Self.retinaNet.weights().checkpoint(),
            configuration: configuration
        )
        #expect(graphs.network.description.labels == ["class 0", "class 1", "class 2"])
        #expect(graphs.warnings.contains { $0.contains("says 80 classes, its weights have 3") })
        let model = try await Fixtures.model(graphs, name: "retinanet") { $0.labels = ["fish", "crab"] }
        #expect(model.labels[1] == "crab")
        #expect(model.labels[2] == "class 2")
        await model.shutDown()
        await #expect(throws: VisionError.self) {
            try await Fixtures.model(graphs, name: "retinanet") { $0.labels = ["a", "b", "c", "d"] }
        }
    }

    @Test("name what the weights lack, what has another shape, and what is left over")
    func misfit() throws {
        var weights = Self.retinaNet.weights()
        weights.remove("head.bbox_pred.bias")
        weights.remove("backbone.fpn_output4.weight")
        weights.add("backbone.fpn_output4.weight", [16, 16, 1, 1])
        let configuration = try Self.configuration(Self.retinaNet)
        let error = #expect(throws: Detectron2Error.self) {
            try Detectron2Converter.convert(weights.checkpoint(), configuration: configuration)
        }
        #expect(
            error?.description == """
                the weights in ‘weights.pkl’ are not those of its configuration: they lack ‘head.bbox_pred.bias’; \
                they hold ‘backbone.fpn_output4.weight of shape [16, 16, 1, 1], not [16, 16, 3, 3]’; \
                use the configuration that the weights were trained with
                """
        )
        var more = Self.retinaNet.weights()
        more.add("head.iou_score.weight", [1])
        more.add("pixel_mean", [3, 1, 1])
        let warnings = try Detectron2Converter.convert(more.checkpoint(), configuration: configuration).warnings
        #expect(warnings == ["tensors that the configuration has no use for: ‘head.iou_score.weight’"])
    }

    @Test("are told that a stage's graph is not there")
    func missingStage() async throws {
        let graphs = try Detectron2Converter.convert(
            Self.shallow.weights().checkpoint(),
            configuration: Self.configuration(Self.shallow)
        )
        let network = GraphSource(name: "shallow", content: .bytes(try graphs.network.bytes()))
        let error = await #expect(throws: VisionError.self) { try await Fixtures.model(network) }
        #expect(error == .missingStage(model: "shallow", stage: "boxes"))
        #expect(error?.description.contains("the stage ‘boxes’ is not there") == true)
    }
}
