// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import TestSupport
import Testing

@testable import NereidCheckpoints

@Suite("Configurations of Detectron2")
struct Detectron2ConfigurationTests {
    @Test("are Detectron2's defaults where they say nothing")
    func defaults() throws {
        let configuration = try Detectron2Configuration(text: "MODEL: {}", file: "config.yaml")
        #expect(configuration.architecture == .rcnn)
        #expect(configuration.input.isBGR)
        #expect(configuration.input.shortestEdge == 800)
        #expect(configuration.input.longestEdge == 1333)
        #expect(configuration.input.mean == [103.53, 116.28, 123.675])
        #expect(configuration.thresholds == .init(confidence: 0.05, iou: 0.5, maxDetections: 100))
        #expect(configuration.backbone.outputs == ["res4"])
        #expect(configuration.pyramid == nil)
        #expect(configuration.regions?.usesRes5 == true)
        #expect(configuration.anchors.sizes == [[32, 64, 128, 256, 512]])
        #expect(configuration.warnings.isEmpty)
    }

    @Test("may be saved in UTF-8 or UTF-16, with a byte order mark or without, and so may their bases")
    func encodings() throws {
        let folder = try TemporaryFolder()
        for base in "MODEL: {META_ARCHITECTURE: RetinaNet}\n".encodings {
            try folder.write(bytes: base, to: "base.yaml")
            for own in "_BASE_: base.yaml\r\nINPUT: {MIN_SIZE_TEST: 640}\r\n".encodings {
                let path = try folder.write(bytes: own, to: "config.yaml")
                #expect(Detectron2Configuration.isConfiguration(path))
                let configuration = try Detectron2Configuration(path: path)
                #expect(configuration.architecture == .retinaNet)
                #expect(configuration.input.shortestEdge == 640)
            }
        }
    }

    @Test("build upon the model zoo by name, from wherever they say it lies")
    func bases() throws {
        let retinaNet = try Detectron2Configuration.written(
            """
            _BASE_: "../Base-RetinaNet.yaml"
            MODEL:
              RESNETS: {DEPTH: 101}
              RETINANET: {NUM_CLASSES: 20}
            TEST: {DETECTIONS_PER_IMAGE: 300}
            """
        )
        #expect(retinaNet.architecture == .retinaNet)
        #expect(retinaNet.backbone.depth == 101)
        #expect(retinaNet.pyramid?.inputs == ["res3", "res4", "res5"])
        #expect(retinaNet.pyramid?.hasConvolutionsOnTop == true)
        #expect(retinaNet.anchors.sizes[1] == [64, 64 * pow(2, 1.0 / 3), 64 * pow(2, 2.0 / 3)])
        #expect(retinaNet.retinaNet?.classCount == 20)
        #expect(retinaNet.thresholds.maxDetections == 300)

        let mask = try Detectron2Configuration.written(
            "_BASE_: COCO-InstanceSegmentation/mask_rcnn_X_101_32x8d_FPN_3x.yaml\nMODEL: {WEIGHTS: x}"
        )
        #expect(mask.backbone.groups == 32)
        #expect(mask.backbone.widthPerGroup == 8)
        #expect(!mask.backbone.hasStrideIn1x1)
        #expect(mask.input.standardDeviation == [57.375, 57.12, 58.395])
        #expect(mask.regions?.mask?.convolutions == 4)
        #expect(mask.regions?.box.layers == 2)
        #expect(mask.proposals?.candidates == 1000)

        let dilated = try Detectron2Configuration.written("_BASE_: faster_rcnn_R_50_DC5_3x.yaml\nMODEL: {}")
        #expect(dilated.backbone.res5Dilation == 2)
        #expect(dilated.regions?.levels == ["res5"])
        #expect(dilated.proposals?.candidates == 6000)
        let c4 = try Detectron2Configuration.written("_BASE_: mask_rcnn_R_101_C4_3x.yaml\nMODEL: {}")
        #expect(c4.regions?.usesRes5 == true)
        #expect(c4.regions?.mask?.convolutions == 0)
        #expect(c4.backbone.depth == 101)
    }

    @Test("build upon files in their own folder, the nearer file above the farther")
    func files() throws {
        let folder = try TemporaryFolder()
        try folder.write("MODEL: {RESNETS: {DEPTH: 152, NORM: GN}, PIXEL_MEAN: [1, 2, 3]}", to: "bases/far.yaml")
        try folder.write("_BASE_: far.yaml\nMODEL: {RESNETS: {DEPTH: 101}}", to: "bases/near.yaml")
        let path = try folder.write("_BASE_: bases/near.yaml\nMODEL: {PIXEL_STD: [2, 2, 2]}", to: "config.yaml")
        let configuration = try Detectron2Configuration(path: path)
        #expect(configuration.backbone.depth == 101)
        #expect(configuration.backbone.normalisation == .group)
        #expect(configuration.input.mean == [1, 2, 3])
        #expect(configuration.input.standardDeviation == [2, 2, 2])
    }

    @Test(
        "never read files outside of their folder",
        arguments: [
            "../secret.yaml", "/etc/hostname", "~/secret.yaml", "a/../../secret.yaml", "file:///etc/hostname",
            "link.yaml",
        ]
    )
    func traversal(base: String) throws {
        let outer = try TemporaryFolder()
        try outer.write("MODEL: {RESNETS: {DEPTH: 101}}", to: "secret.yaml")
        let path = try outer.write("_BASE_: \"\(base)\"\nMODEL: {}", to: "model/config.yaml")
        try FileManager.default.createSymbolicLink(
            atPath: outer.path("model/link.yaml"),
            withDestinationPath: outer.path("secret.yaml")
        )
        let error = #expect(throws: Detectron2Error.self) { try Detectron2Configuration(path: path) }
        guard case .baseUnavailable(_, base, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("that build upon each other end with an error")
    func circle() throws {
        let folder = try TemporaryFolder()
        try folder.write("_BASE_: b.yaml\nMODEL: {}", to: "a.yaml")
        try folder.write("_BASE_: a.yaml\nMODEL: {}", to: "b.yaml")
        let limit = ConfigurationFiles.maximumBases
        #expect(throws: Detectron2Error.self) { try Detectron2Configuration(path: folder.path("a.yaml")) }
        let error = #expect(throws: Detectron2Error.self) { try Detectron2Configuration(path: folder.path("b.yaml")) }
        #expect(error?.description.contains("more than \(limit) files that it builds upon") == true)
    }

    @Test("take the last of two equal keys, and say so")
    func duplicates() throws {
        let configuration = try Detectron2Configuration(
            text: """
                MODEL:
                  META_ARCHITECTURE: "RetinaNet"
                  RESNETS:
                    DEPTH: 101
                    STEM_OUT_CHANNELS: 16
                  BACKBONE: {NAME: build_retinanet_resnet_fpn_backbone}
                  "RESNETS":
                    OUT_FEATURES: ["res3", "res4", "res5"]
                    DEPTH: 34
                    DEPTH: 50
                  FPN: {IN_FEATURES: ["res3", "res4", "res5"]}
                """,
            file: "config.yaml"
        )
        #expect(configuration.backbone.depth == 50)
        #expect(configuration.backbone.stemChannels == 64)
        #expect(configuration.warnings.count == 2)
        #expect(configuration.warnings.contains { $0.contains("‘MODEL.RESNETS’ stands twice") })
        #expect(configuration.warnings.contains { $0.contains("‘MODEL.RESNETS.DEPTH’ stands twice") })
    }

    @Test("tell when the class count that was changed is not the one that counts")
    func otherClassCount() throws {
        let configuration = try Detectron2Configuration.written(
            "_BASE_: Base-RetinaNet.yaml\nMODEL: {ROI_HEADS: {NUM_CLASSES: 20}}"
        )
        #expect(configuration.retinaNet?.classCount == 80)
        #expect(configuration.warnings.first?.contains("reads MODEL.RETINANET.NUM_CLASSES, which is 80") == true)
    }

    @Test("read numbers and tuples that are written as text")
    func words() throws {
        let configuration = try Detectron2Configuration(
            text: """
                MODEL: {PIXEL_MEAN: "(1, 2.5, 3)", MASK_ON: True, RPN: {NMS_THRESH: "0.6"}}
                INPUT: {MIN_SIZE_TEST: "640"}
                """,
            file: "config.yaml"
        )
        #expect(configuration.input.mean == [1, 2.5, 3])
        #expect(configuration.input.shortestEdge == 640)
        #expect(configuration.regions?.mask != nil)
        #expect(configuration.proposals?.iou == 0.6)
    }

    @Test(
        "say which value makes no sense, and what it must be",
        arguments: [
            ("MODEL.RESNETS.DEPTH", "51", "18, 34, 50, 101 or 152"),
            ("MODEL.ROI_HEADS.NUM_CLASSES", "-5", "a whole number from 1"),
            ("MODEL.RESNETS.STEM_OUT_CHANNELS", "99999999999999999999", "a whole number"),
            ("MODEL.PIXEL_MEAN", "[1, 2]", "3 numbers"),
            ("MODEL.PIXEL_STD", "[1, 0, 1]", "3 numbers"),
            ("MODEL.PIXEL_STD", "[1, .nan, 1]", "3 numbers"),
            ("MODEL.ANCHOR_GENERATOR.SIZES", "[[.inf]]", "one list of numbers"),
            ("MODEL.ANCHOR_GENERATOR.SIZES", "[[32], [x]]", "one list of numbers"),
            ("MODEL.ANCHOR_GENERATOR.OFFSET", "7", "a number from 0"),
            ("INPUT.MIN_SIZE_TEST", "0", "a whole number from 1"),
            ("INPUT.MAX_SIZE_TEST", "-1", "a whole number from 1"),
            ("TEST.DETECTIONS_PER_IMAGE", "many", "a whole number"),
            ("MODEL.MASK_ON", "[]", "True or False"),
            ("MODEL.RPN.IN_FEATURES", "[]", "1 to 8 names"),
            ("MODEL.RESNETS.OUT_FEATURES", "[res9]", "a list of res2"),
            ("MODEL.RPN.CONV_DIMS", "[0]", "numbers of channels"),
            ("MODEL.META_ARCHITECTURE", "[1]", "a word"),
        ]
    )
    func values(key: String, value: String, expected: String) throws {
        let error = try error(of: key, value)
        #expect(error?.description.contains("\(key) is ") == true, "\(String(describing: error))")
        #expect(error?.description.contains("it must be \(expected)") == true, "\(String(describing: error))")
    }

    @Test(
        "name what can't be converted",
        arguments: [
            ("VERSION", "1"),
            ("MODEL.META_ARCHITECTURE", "PanopticFPN"),
            ("MODEL.BACKBONE.NAME", "build_vovnet_backbone"),
            ("MODEL.RESNETS.DEFORM_ON_PER_STAGE", "[False, True, True, True]"),
            ("MODEL.RESNETS.NORM", "LN"),
            ("MODEL.ROI_HEADS.NAME", "CascadeROIHeads"),
            ("MODEL.ROI_BOX_HEAD.POOLER_TYPE", "ROIPool"),
            ("MODEL.ANCHOR_GENERATOR.NAME", "RotatedAnchorGenerator"),
            ("MODEL.PROPOSAL_GENERATOR.NAME", "RRPN"),
            ("MODEL.LOAD_PROPOSALS", "True"),
            ("INPUT.FORMAT", "YUV-BT.601"),
        ]
    )
    func unsupported(key: String, value: String) throws {
        let error = try error(of: key, value)
        guard case .unsupported(_, key, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.description.contains("export the model to ONNX with Detectron2") == true)
    }

    private func error(of key: String, _ value: String) throws -> Detectron2Error? {
        let keys = key.split(separator: ".")
        var text = keys.first == "MODEL" ? "" : "MODEL: {}\n"
        for (depth, key) in keys.enumerated() {
            text += String(repeating: "  ", count: depth) + "\(key):" + (depth == keys.count - 1 ? " \(value)" : "\n")
        }
        return #expect(throws: Detectron2Error.self) { try Detectron2Configuration(text: text, file: "config.yaml") }
    }

    @Test(
        "are refused when they are something else",
        arguments: [
            ("", "it is empty"),
            ("- 1", "not a table"),
            ("aliases: [a]", "it has no key MODEL"),
            ("model: {_target_: detectron2.modeling.GeneralizedRCNN}", "it has no key MODEL"),
            ("MODEL: [", "it is not YAML"),
            ("MODEL: {<<: {A: 1}}", "it merges tables"),
            ("? [1, 2]\n: 3\nMODEL: {}", "a key that is not a word"),
            ("MODEL: *nothing", "it is not YAML: found undefined alias"),
        ]
    )
    func others(text: String, reason: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "config.yaml")
        let error = #expect(throws: Detectron2Error.self) { try Detectron2Configuration(path: path) }
        #expect(error?.description.contains("is not a configuration of Detectron2: ") == true)
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test("are refused when they want Python to make something")
    func tags() throws {
        let text = "MODEL:\n  WEIGHTS: !!python/object/apply:os.system [\"id\"]\n"
        let error = #expect(throws: Detectron2Error.self) { try Detectron2Configuration(text: text, file: "c.yaml") }
        #expect(
            error
                == .refusedTag(
                    file: "c.yaml",
                    tag: "tag:yaml.org,2002:python/object/apply:os.system",
                    key: "MODEL.WEIGHTS"
                )
        )
        let other = "MODEL:\n  X: !!python/object/apply:eval [\"exit()\"]\n"
        let refusal = #expect(throws: Detectron2Error.self) { try Detectron2Configuration(text: other, file: "c.yaml") }
        #expect(refusal?.description.contains("evaluate ‘exit()’, which uses the name ‘exit’") == true)
    }

    @Test("are bounded in size, depth, aliases and repeated keys")
    func bounds() {
        let large = "MODEL: {}\n#" + String(repeating: "x", count: ConfigurationDocument.maximumByteCount)
        let deep = "MODEL: " + String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        let deeper = "MODEL: " + String(repeating: "[", count: 100_000)
        let steps = "MODEL:\n" + (1...400).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n")
        let many = "MODEL: {}\nX: [" + String(repeating: "1,", count: 30_000) + "]"
        let repeated = "MODEL: {}\n" + String(repeating: "KEY: 1\n", count: 100)
        var laughs = "a0: &a0 [1,1,1,1,1,1,1,1]\n"
        for level in 1...7 {
            laughs += "a\(level): &a\(level) [" + String(repeating: "*a\(level - 1),", count: 8) + "]\n"
        }
        var keys = "a0: &a0 [1,1]\nb0: &b0 [1,1]\n"
        for level in 1...40 {
            keys += "a\(level): &a\(level) [*a\(level - 1),*a\(level - 1)]\n"
            keys += "b\(level): &b\(level) [*b\(level - 1),*b\(level - 1)]\n"
        }
        keys += "? *a40\n: 1\n? *b40\n: 2\n"
        for text in [large, deep, deeper, steps, many, repeated, laughs, keys] {
            #expect(throws: Detectron2Error.self, "\(text.prefix(40))") {
                try Detectron2Configuration(text: text, file: "config.yaml")
            }
        }
    }
}

extension Detectron2Configuration {
    /// Reads a configuration from a file of its own.
    fileprivate static func written(_ text: String) throws -> Detectron2Configuration {
        let folder = try TemporaryFolder()
        return try Detectron2Configuration(path: try folder.write(text, to: "config.yaml"))
    }
}

@Suite("Configurations of the shared folder", .enabled(if: SharedFolder.isThere, SharedFolder.absence))
struct SharedConfigurationTests {
    @Test("of the three tiny networks")
    func tiny() throws {
        let seed = try Detectron2Configuration(
            path: SharedFolder.path("reference/detectron2/retinanet_tiny_seed_style.yaml")
        )
        let complete = try Detectron2Configuration(
            path: SharedFolder.path("reference/detectron2/retinanet_tiny_config.yaml")
        )
        // The first RESNETS, with its depth of 101, does not count; what is left is what Detectron2 wrote down completely.
        #expect(seed.backbone == complete.backbone)
        #expect(seed.backbone.depth == 50)
        #expect(seed.anchors == complete.anchors)
        #expect(seed.retinaNet == complete.retinaNet)
        #expect(seed.pyramid == complete.pyramid)
        #expect(seed.input == complete.input)
        #expect(seed.thresholds == complete.thresholds)
        #expect(seed.warnings.contains { $0.contains("‘MODEL.RESNETS’ stands twice") })
        let mask = try Detectron2Configuration(
            path: SharedFolder.path("reference/detectron2/mask_rcnn_tiny_config.yaml")
        )
        #expect(mask.regions?.classCount == 7)
        #expect(mask.regions?.mask?.channels == 32)
        #expect(mask.regions?.boxWeights == [10, 10, 5, 5])
    }

    @Test(
        "that are hostile are refused",
        arguments: [
            "yaml_apply_os_system", "yaml_eval_import", "yaml_eval_power_bomb", "yaml_alias_laughs",
            "yaml_base_traversal", "yaml_values_bad",
        ]
    )
    func hostile(name: String) throws {
        let path = try SharedFolder.path("reference/hostile/\(name).yaml")
        let error = #expect(throws: Detectron2Error.self) { try Detectron2Configuration(path: path) }
        #expect(error?.description.contains(name) == true)
        #expect(!FileManager.default.fileExists(atPath: "/tmp/PWNED-\(name)"))
    }
}
