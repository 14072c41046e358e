// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The configurations that come with Detectron2, known by name: their values as far as they change what a trained network
/// computes.
///
/// Source: `detectron2/config/defaults.py` and the folder `configs` of Detectron2 0.6.
enum StandardConfigurations {
    /// What counts where a file says nothing.
    static let defaults: ConfigurationValue = table([
        "VERSION": 2,
        "MODEL": [
            "META_ARCHITECTURE": "GeneralizedRCNN",
            "LOAD_PROPOSALS": false,
            "MASK_ON": false,
            "KEYPOINT_ON": false,
            "PIXEL_MEAN": [103.530, 116.280, 123.675],
            "PIXEL_STD": [1.0, 1.0, 1.0],
            "BACKBONE": ["NAME": "build_resnet_backbone"],
            "RESNETS": [
                "DEPTH": 50,
                "OUT_FEATURES": ["res4"],
                "NUM_GROUPS": 1,
                "NORM": "FrozenBN",
                "WIDTH_PER_GROUP": 64,
                "STRIDE_IN_1X1": true,
                "RES5_DILATION": 1,
                "RES2_OUT_CHANNELS": 256,
                "STEM_OUT_CHANNELS": 64,
                "DEFORM_ON_PER_STAGE": [false, false, false, false],
            ],
            "FPN": ["IN_FEATURES": [], "OUT_CHANNELS": 256, "NORM": "", "FUSE_TYPE": "sum"],
            "ANCHOR_GENERATOR": [
                "NAME": "DefaultAnchorGenerator",
                "SIZES": [[32, 64, 128, 256, 512]],
                "ASPECT_RATIOS": [[0.5, 1.0, 2.0]],
                "OFFSET": 0.0,
            ],
            "PROPOSAL_GENERATOR": ["NAME": "RPN", "MIN_SIZE": 0],
            "RPN": [
                "HEAD_NAME": "StandardRPNHead",
                "IN_FEATURES": ["res4"],
                "BBOX_REG_WEIGHTS": [1.0, 1.0, 1.0, 1.0],
                "PRE_NMS_TOPK_TEST": 6000,
                "POST_NMS_TOPK_TEST": 1000,
                "NMS_THRESH": 0.7,
                "CONV_DIMS": [-1],
            ],
            "ROI_HEADS": [
                "NAME": "Res5ROIHeads",
                "NUM_CLASSES": 80,
                "IN_FEATURES": ["res4"],
                "SCORE_THRESH_TEST": 0.05,
                "NMS_THRESH_TEST": 0.5,
            ],
            "ROI_BOX_HEAD": [
                "NAME": "",
                "BBOX_REG_WEIGHTS": [10.0, 10.0, 5.0, 5.0],
                "POOLER_RESOLUTION": 14,
                "POOLER_SAMPLING_RATIO": 0,
                "POOLER_TYPE": "ROIAlignV2",
                "NUM_FC": 0,
                "FC_DIM": 1024,
                "NUM_CONV": 0,
                "CONV_DIM": 256,
                "NORM": "",
                "CLS_AGNOSTIC_BBOX_REG": false,
                "USE_SIGMOID_CE": false,
            ],
            "ROI_MASK_HEAD": [
                "NAME": "MaskRCNNConvUpsampleHead",
                "POOLER_RESOLUTION": 14,
                "POOLER_SAMPLING_RATIO": 0,
                "POOLER_TYPE": "ROIAlignV2",
                "NUM_CONV": 0,
                "CONV_DIM": 256,
                "NORM": "",
                "CLS_AGNOSTIC_MASK": false,
            ],
            "RETINANET": [
                "NUM_CLASSES": 80,
                "IN_FEATURES": ["p3", "p4", "p5", "p6", "p7"],
                "NUM_CONVS": 4,
                "NORM": "",
                "SCORE_THRESH_TEST": 0.05,
                "TOPK_CANDIDATES_TEST": 1000,
                "NMS_THRESH_TEST": 0.5,
                "BBOX_REG_WEIGHTS": [1.0, 1.0, 1.0, 1.0],
            ],
        ],
        "INPUT": ["FORMAT": "BGR", "MIN_SIZE_TEST": 800, "MAX_SIZE_TEST": 1333],
        "DATASETS": ["TRAIN": [], "TEST": []],
        "TEST": ["DETECTIONS_PER_IMAGE": 100],
    ])

    /// The values of a configuration by its path or file name: `../Base-RetinaNet.yaml`,
    /// `COCO-Detection/retinanet_R_50_FPN_3x.yaml`. `nil` when none is called so.
    static func configuration(named path: String) -> ConfigurationValue? {
        guard let file = path.split(separator: "/").last, file.hasSuffix(".yaml") else { return nil }
        let name = String(file.dropLast(".yaml".count))
        return bases[name] ?? (zoo.contains(name) ? zooConfiguration(name) : nil)
    }

    /// The names of all that are known, for messages.
    static var names: [String] { bases.keys.sorted() + zoo.sorted() }

    private static let coco: Literal = ["TRAIN": ["coco_2017_train"], "TEST": ["coco_2017_val"]]

    private static let bases: [String: ConfigurationValue] = [
        "Base-RetinaNet": table([
            "MODEL": [
                "META_ARCHITECTURE": "RetinaNet",
                "BACKBONE": ["NAME": "build_retinanet_resnet_fpn_backbone"],
                "RESNETS": ["OUT_FEATURES": ["res3", "res4", "res5"]],
                "FPN": ["IN_FEATURES": ["res3", "res4", "res5"]],
                "ANCHOR_GENERATOR": ["SIZES": .list([32, 64, 128, 256, 512].map(octave))],
            ],
            "DATASETS": coco,
            "VERSION": 2,
        ]),
        "Base-RCNN-FPN": table([
            "MODEL": [
                "META_ARCHITECTURE": "GeneralizedRCNN",
                "BACKBONE": ["NAME": "build_resnet_fpn_backbone"],
                "RESNETS": ["OUT_FEATURES": ["res2", "res3", "res4", "res5"]],
                "FPN": ["IN_FEATURES": ["res2", "res3", "res4", "res5"]],
                "ANCHOR_GENERATOR": [
                    "SIZES": [[32], [64], [128], [256], [512]],
                    "ASPECT_RATIOS": [[0.5, 1.0, 2.0]],
                ],
                "RPN": [
                    "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
                    "PRE_NMS_TOPK_TEST": 1000,
                    "POST_NMS_TOPK_TEST": 1000,
                ],
                "ROI_HEADS": ["NAME": "StandardROIHeads", "IN_FEATURES": ["p2", "p3", "p4", "p5"]],
                "ROI_BOX_HEAD": ["NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7],
                "ROI_MASK_HEAD": ["NAME": "MaskRCNNConvUpsampleHead", "NUM_CONV": 4, "POOLER_RESOLUTION": 14],
            ],
            "DATASETS": coco,
            "VERSION": 2,
        ]),
        "Base-RCNN-C4": table([
            "MODEL": [
                "META_ARCHITECTURE": "GeneralizedRCNN",
                "RPN": ["PRE_NMS_TOPK_TEST": 6000, "POST_NMS_TOPK_TEST": 1000],
                "ROI_HEADS": ["NAME": "Res5ROIHeads"],
            ],
            "DATASETS": coco,
            "VERSION": 2,
        ]),
        "Base-RCNN-DilatedC5": table([
            "MODEL": [
                "META_ARCHITECTURE": "GeneralizedRCNN",
                "RESNETS": ["OUT_FEATURES": ["res5"], "RES5_DILATION": 2],
                "RPN": ["IN_FEATURES": ["res5"], "PRE_NMS_TOPK_TEST": 6000, "POST_NMS_TOPK_TEST": 1000],
                "ROI_HEADS": ["NAME": "StandardROIHeads", "IN_FEATURES": ["res5"]],
                "ROI_BOX_HEAD": ["NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7],
                "ROI_MASK_HEAD": ["NAME": "MaskRCNNConvUpsampleHead", "NUM_CONV": 4, "POOLER_RESOLUTION": 14],
            ],
            "DATASETS": coco,
            "VERSION": 2,
        ]),
    ]

    /// The files of COCO-Detection and COCO-InstanceSegmentation. The name says it all: network, backbone, features, and
    /// how long it was trained.
    private static let zoo: Set<String> = {
        let shapes = [
            "R_50_C4_1x", "R_50_DC5_1x", "R_50_FPN_1x", "R_50_C4_3x", "R_50_DC5_3x", "R_50_FPN_3x", "R_101_C4_3x",
            "R_101_DC5_3x", "R_101_FPN_3x", "X_101_32x8d_FPN_3x",
        ]
        let retinaNets = ["retinanet_R_50_FPN_1x", "retinanet_R_50_FPN_3x", "retinanet_R_101_FPN_3x"]
        return Set(shapes.flatMap { ["faster_rcnn_\($0)", "mask_rcnn_\($0)"] } + retinaNets)
    }()

    private static func zooConfiguration(_ name: String) -> ConfigurationValue {
        let base =
            name.hasPrefix("retinanet")
            ? "Base-RetinaNet"
            : name.contains("_C4_") ? "Base-RCNN-C4" : name.contains("_DC5_") ? "Base-RCNN-DilatedC5" : "Base-RCNN-FPN"
        let mask: Literal = .value(.boolean(name.hasPrefix("mask")))
        let depth: Literal = name.contains("_50_") ? 50 : 101
        let own =
            name.contains("_X_101_32x8d_")
            ? table([
                "MODEL": [
                    "MASK_ON": mask,
                    "PIXEL_STD": [57.375, 57.120, 58.395],
                    "RESNETS": ["STRIDE_IN_1X1": false, "NUM_GROUPS": 32, "WIDTH_PER_GROUP": 8, "DEPTH": depth],
                ]
            ]) : table(["MODEL": ["MASK_ON": mask, "RESNETS": ["DEPTH": depth]]])
        return bases[base].map { $0.overlaid(by: own) } ?? own
    }

    /// Three anchors to an octave.
    private static func octave(_ size: Int) -> Literal {
        .list([.value(.integer(size))] + [1.0, 2.0].map { .value(.real(Double(size) * pow(2, $0 / 3))) })
    }

    private static func table(_ literal: Literal) -> ConfigurationValue { literal.value }

    /// Values as they can be written down.
    private enum Literal: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
        ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
    {
        case value(ConfigurationValue)
        case list([Literal])

        init(stringLiteral text: String) { self = .value(.text(text)) }
        init(integerLiteral number: Int) { self = .value(.integer(number)) }
        init(floatLiteral number: Double) { self = .value(.real(number)) }
        init(booleanLiteral value: Bool) { self = .value(.boolean(value)) }
        init(arrayLiteral elements: Literal...) { self = .list(elements) }
        init(dictionaryLiteral entries: (String, Literal)...) {
            self = .value(.table(Dictionary(entries.map { ($0, $1.value) }) { $1 }))
        }

        var value: ConfigurationValue {
            switch self {
            case .value(let value): value
            case .list(let elements): .list(elements.map(\.value))
            }
        }
    }
}
