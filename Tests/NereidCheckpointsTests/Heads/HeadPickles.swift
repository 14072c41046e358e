// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

@testable import NereidCheckpoints

/// Heads and the small networks around them.
extension NetworkWriter {
    /// A network whose head takes the picture at strides 8 and 16: two layers of 4 and 8 channels, then the head.
    func network(
        _ head: Pickled,
        class name: String = "models.yolo.DetectionModel",
        _ attributes: [(String, Pickled)] = []
    ) -> Pickled {
        let layers = [
            block(3, 4, kernel: 9, stride: 8, [("i", .integer(0)), ("f", .integer(-1))]),
            block(4, 8, kernel: 3, stride: 2, [("i", .integer(1)), ("f", .integer(-1))]),
        ]
        return model(layers + [head], class: name, attributes)
    }

    static let bothLayers: (String, Pickled) = ("f", .list([.integer(0), .integer(1)]))

    /// YOLOv5's head with two levels of two anchors.
    func anchorHead(
        classes: Int = 3,
        masks: Int? = nil,
        anchors: [Float] = [1.25, 1.625, 2, 3.75, 0.5, 1, 2, 4],
        strides: Pickled? = nil,
        outputs: Int? = nil,
        _ attributes: [(String, Pickled)] = []
    ) -> Pickled {
        let outputs = outputs ?? 2 * (5 + classes + (masks ?? 0))
        var modules = [("m", list([convolution(4, outputs), convolution(8, outputs)]))]
        if masks != nil { modules.append(("proto", prototypes("models.common.Proto", isTransposed: false))) }
        let settings: [(String, Pickled)] = [
            ("nc", .integer(classes)), ("nl", .integer(2)), ("na", .integer(2)), ("nm", .integer(masks ?? 0)),
            ("stride", strides ?? tensor([2], [8, 16])), Self.bothLayers,
        ]
        let names = attributes.map(\.0)
        return module(
            "models.yolo.\(masks == nil ? "Detect" : "Segment")",
            modules: modules,
            buffers: [("anchors", tensor([2, 2, 2], anchors))],
            settings.filter { !names.contains($0.0) } + attributes
        )
    }

    /// Prototypes of masks from 4 channels to 5.
    func prototypes(_ name: String, isTransposed: Bool) -> Pickled {
        let larger =
            isTransposed
            ? module(
                "torch.nn.modules.conv.ConvTranspose2d",
                parameters: [("weight", tensor([4, 4, 2, 2])), ("bias", tensor([4]))],
                [("stride", .integers([2, 2]))]
            )
            : module("torch.nn.modules.upsampling.Upsample", [("scale_factor", .real(2)), ("mode", .text("nearest"))])
        var modules = [
            ("cv1", block(4, 4)), ("upsample", larger), ("cv2", block(4, 4)), ("cv3", block(4, 5)),
        ]
        if name.hasSuffix("26") {
            modules += [("feat_refine", list([block(8, 4)])), ("feat_fuse", block(4, 4))]
        }
        return module(name, modules: modules)
    }

    /// One of Ultralytics' heads with two levels; its branches are single convolutions behind a block.
    func anchorFreeHead(
        _ name: String,
        classes: Int = 3,
        bins: Int = 16,
        extra: Int? = nil,
        isOneToOne: Bool = false,
        isOneToMany: Bool = true,
        modules more: [(String, Pickled)] = [],
        _ attributes: [(String, Pickled)] = []
    ) -> Pickled {
        var modules: [(String, Pickled)] = []
        for prefix in (isOneToMany ? [""] : []) + (isOneToOne ? ["one2one_"] : []) {
            modules.append((prefix + "cv2", branches(4 * bins)))
            modules.append((prefix + "cv3", branches(classes)))
            guard let extra else { continue }
            if name == "Pose26" {
                modules.append((prefix + "cv4", list([block(4, 4), block(8, 4)])))
                modules.append((prefix + "cv4_kpts", list([convolution(4, extra), convolution(4, extra)])))
            } else {
                modules.append((prefix + "cv4", branches(extra)))
            }
        }
        let settings: [(String, Pickled)] = [
            ("nc", .integer(classes)), ("nl", .integer(2)), ("reg_max", .integer(bins)),
            ("stride", tensor([2], [8, 16])), Self.bothLayers,
        ]
        let names = attributes.map(\.0)
        return module(
            "ultralytics.nn.modules.head.\(name)",
            modules: modules + more,
            settings.filter { !names.contains($0.0) } + attributes
        )
    }

    private func branches(_ outputs: Int) -> Pickled {
        list([4, 8].map { sequential([block($0, 4), convolution(4, outputs)]) })
    }

    func classifier(_ name: String, classes: Int = 3) -> Pickled {
        module(
            name,
            modules: [
                ("conv", block(8, 6)),
                ("pool", module("torch.nn.modules.pooling.AdaptiveAvgPool2d", [("output_size", .integer(1))])),
                ("drop", activation("Dropout")), ("linear", linear(6, classes)),
            ],
            [("f", .integer(-1))]
        )
    }
}
