// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

extension Detectron2Configuration {
    /// Reads a configuration file and what it builds upon.
    ///
    /// `_BASE_` may name files in the same folder, or the configurations that come with Detectron2 by their names. Nothing
    /// in it is executed: values tagged `!!python/object/apply:eval` may be arithmetic, and every other tag that asks for
    /// an object is refused. Blocks its thread for milliseconds.
    ///
    /// - Parameter path: The yaml file.
    /// - Throws: ``Detectron2Error``.
    public init(path: String) throws(Detectron2Error) {
        let files = try ConfigurationFiles(path: path)
        try self.init(files.value, file: path, warnings: files.warnings)
    }

    /// Reads a configuration that is in memory and builds upon no files but those that come with Detectron2.
    ///
    /// - Throws: ``Detectron2Error``.
    init(text: String, file: String) throws(Detectron2Error) {
        let document = try ConfigurationDocument(text, file: file)
        try self.init(document.root, file: file, warnings: document.warnings)
    }

    private init(_ values: ConfigurationValue, file: String, warnings: [String]) throws(Detectron2Error) {
        let reader = ConfigurationReader(
            file: file,
            values: StandardConfigurations.defaults.overlaid(by: values)
        )
        guard try reader.integer("VERSION", in: 0...1000) == 2 else {
            throw reader.unsupported("VERSION", "and only configurations of version 2 are read")
        }
        let word = try reader.text("MODEL.META_ARCHITECTURE")
        guard let architecture = Architecture(rawValue: word) else {
            throw reader.unsupported("MODEL.META_ARCHITECTURE", "which is neither RetinaNet nor GeneralizedRCNN")
        }
        self.file = file
        identity = reader.values.canonical
        self.architecture = architecture
        input = try Input(reader)
        backbone = try Backbone(reader)
        pyramid = try Pyramid(reader)
        datasets = try reader.texts("DATASETS.TRAIN") + reader.texts("DATASETS.TEST")
        var warnings = warnings
        let score: String
        switch architecture {
        case .retinaNet:
            score = "MODEL.RETINANET"
            let network = try RetinaNet(reader)
            (retinaNet, proposals, regions) = (network, nil, nil)
            anchors = try Anchors(reader, levels: network.levels.count)
            if case .integer(let other) = values["MODEL.ROI_HEADS.NUM_CLASSES"] ?? .none, other != network.classCount {
                warnings.append(
                    "MODEL.ROI_HEADS.NUM_CLASSES is \(other), but a RetinaNet reads MODEL.RETINANET.NUM_CLASSES, which is "
                        + "\(network.classCount)"
                )
            }
        case .rcnn:
            score = "MODEL.ROI_HEADS"
            let proposals = try Proposals(reader)
            (retinaNet, regions) = (nil, try Regions(reader))
            self.proposals = proposals
            anchors = try Anchors(reader, levels: proposals.levels.count)
            if try reader.flag("MODEL.KEYPOINT_ON") { warnings.append("its keypoints are not served, its boxes are") }
        }
        thresholds = Thresholds(
            confidence: try reader.real("\(score).SCORE_THRESH_TEST", in: 0...1),
            iou: try reader.real("\(score).NMS_THRESH_TEST", in: 0...1),
            maxDetections: try reader.integer("TEST.DETECTIONS_PER_IMAGE", in: -1...100_000)
        )
        self.warnings = warnings
    }
}

/// Pixels, channels and counts beyond these are no network's.
private enum Limit {
    static let channels = 1...16_384
    static let classes = 1...100_000
    static let candidates = 1...1_000_000
    static let edge = 1...16_384
    static let weights = 1e-6...1e6
    static let share = 0.0...1.0
}

extension Detectron2Configuration.Input {
    fileprivate init(_ reader: ConfigurationReader) throws(Detectron2Error) {
        let formats = ["BGR", "RGB"]
        isBGR =
            try reader.choice("INPUT.FORMAT", of: formats, reason: "and networks are fed BGR or RGB here") == "BGR"
        shortestEdge = try reader.integer("INPUT.MIN_SIZE_TEST", in: Limit.edge)
        longestEdge = try reader.integer("INPUT.MAX_SIZE_TEST", in: Limit.edge)
        mean = try reader.reals("MODEL.PIXEL_MEAN", count: 3, in: -1e6...1e6)
        standardDeviation = try reader.reals("MODEL.PIXEL_STD", count: 3, in: Limit.weights)
    }
}

extension Detectron2Configuration.Normalisation {
    /// - Parameter key: whose value is the name of a layer; empty for none.
    fileprivate init(_ reader: ConfigurationReader, _ key: String) throws(Detectron2Error) {
        switch try reader.text(key) {
        case "": self = .none
        case "FrozenBN", "BN", "SyncBN", "nnSyncBN", "naiveSyncBN", "naiveSyncBN_N": self = .batch
        case "GN": self = .group
        default: throw reader.unsupported(key, "which is no normalisation that is known here")
        }
    }
}

extension Detectron2Configuration.Backbone {
    /// The stages' names, in their order.
    static let stages = ["res2", "res3", "res4", "res5"]

    fileprivate init(_ reader: ConfigurationReader) throws(Detectron2Error) {
        let names = ["build_resnet_backbone", "build_resnet_fpn_backbone", "build_retinanet_resnet_fpn_backbone"]
        _ = try reader.choice("MODEL.BACKBONE.NAME", of: names, reason: "which is no ResNet with or without a pyramid")
        let key = "MODEL.RESNETS"
        guard try !reader.flags("\(key).DEFORM_ON_PER_STAGE").contains(true) else {
            throw reader.unsupported("\(key).DEFORM_ON_PER_STAGE", "and deformable convolutions can't be converted")
        }
        depth = try reader.integer("\(key).DEPTH", in: 1...1000)
        guard [18, 34, 50, 101, 152].contains(depth) else {
            throw reader.bad("\(key).DEPTH", "18, 34, 50, 101 or 152")
        }
        groups = try reader.integer("\(key).NUM_GROUPS", in: 1...1024)
        widthPerGroup = try reader.integer("\(key).WIDTH_PER_GROUP", in: 1...1024)
        guard Limit.channels.contains(groups * widthPerGroup) else {
            throw reader.bad("\(key).NUM_GROUPS", "such that groups of WIDTH_PER_GROUP are at most 16384 channels")
        }
        stemChannels = try reader.integer("\(key).STEM_OUT_CHANNELS", in: Limit.channels)
        res2Channels = try reader.integer("\(key).RES2_OUT_CHANNELS", in: Limit.channels)
        hasStrideIn1x1 = try reader.flag("\(key).STRIDE_IN_1X1")
        res5Dilation = try reader.integer("\(key).RES5_DILATION", in: 1...2)
        normalisation = try .init(reader, "\(key).NORM")
        outputs = try reader.texts("\(key).OUT_FEATURES")
        guard !outputs.isEmpty, outputs.allSatisfy(Self.stages.contains) else {
            throw reader.bad("\(key).OUT_FEATURES", "a list of res2, res3, res4 and res5")
        }
    }
}

extension Detectron2Configuration.Pyramid {
    /// `nil` when the backbone has none.
    fileprivate init?(_ reader: ConfigurationReader) throws(Detectron2Error) {
        let name = try reader.text("MODEL.BACKBONE.NAME")
        guard name.contains("fpn") else { return nil }
        hasConvolutionsOnTop = name.contains("retinanet")
        inputs = try reader.texts("MODEL.FPN.IN_FEATURES")
        let stages = Detectron2Configuration.Backbone.stages
        // Each level is twice as large as the next one.
        guard let first = inputs.first.flatMap(stages.firstIndex), first + inputs.count <= stages.count,
            Array(stages[first..<first + inputs.count]) == inputs,
            try Set(inputs).isSubset(of: reader.texts("MODEL.RESNETS.OUT_FEATURES"))
        else { throw reader.bad("MODEL.FPN.IN_FEATURES", "neighbouring ones of MODEL.RESNETS.OUT_FEATURES, in order") }
        channels = try reader.integer("MODEL.FPN.OUT_CHANNELS", in: Limit.channels)
        normalisation = try .init(reader, "MODEL.FPN.NORM")
        averages =
            try reader.choice("MODEL.FPN.FUSE_TYPE", of: ["sum", "avg"], reason: "which is neither sum nor avg")
            == "avg"
    }
}

extension Detectron2Configuration.Anchors {
    fileprivate init(_ reader: ConfigurationReader, levels: Int) throws(Detectron2Error) {
        let key = "MODEL.ANCHOR_GENERATOR"
        let names = ["DefaultAnchorGenerator"]
        _ = try reader.choice("\(key).NAME", of: names, reason: "and only upright anchors are known here")
        sizes = try reader.realsByLevel("\(key).SIZES", levels: levels, in: 1e-3...1e5)
        aspectRatios = try reader.realsByLevel("\(key).ASPECT_RATIOS", levels: levels, in: 1e-3...1e3)
        offset = try reader.real("\(key).OFFSET", in: 0...1)
        let counts = Set(zip(sizes, aspectRatios).map { $0.count * $1.count })
        guard counts.count == 1, counts.first ?? 0 <= 64 else {
            throw reader.bad("\(key).SIZES", "as many sizes on each level, with 64 anchors to a cell at most")
        }
    }
}

extension Detectron2Configuration.RetinaNet {
    fileprivate init(_ reader: ConfigurationReader) throws(Detectron2Error) {
        let key = "MODEL.RETINANET"
        classCount = try reader.integer("\(key).NUM_CLASSES", in: Limit.classes)
        levels = try reader.texts("\(key).IN_FEATURES")
        convolutions = try reader.integer("\(key).NUM_CONVS", in: 0...64)
        normalisation = try .init(reader, "\(key).NORM")
        candidates = try reader.integer("\(key).TOPK_CANDIDATES_TEST", in: Limit.candidates)
        boxWeights = try reader.reals("\(key).BBOX_REG_WEIGHTS", count: 4, in: Limit.weights)
        guard (1...8).contains(levels.count) else { throw reader.bad("\(key).IN_FEATURES", "1 to 8 names of maps") }
    }
}

extension Detectron2Configuration.Proposals {
    fileprivate init(_ reader: ConfigurationReader) throws(Detectron2Error) {
        let key = "MODEL.RPN"
        guard try !reader.flag("MODEL.LOAD_PROPOSALS") else {
            throw reader.unsupported("MODEL.LOAD_PROPOSALS", "and proposals are not to be had here")
        }
        let generators = ["RPN"]
        _ = try reader.choice(
            "MODEL.PROPOSAL_GENERATOR.NAME",
            of: generators,
            reason: "and only the generator RPN is known here"
        )
        _ = try reader.choice("\(key).HEAD_NAME", of: ["StandardRPNHead"], reason: "which is not StandardRPNHead")
        levels = try reader.texts("\(key).IN_FEATURES")
        boxWeights = try reader.reals("\(key).BBOX_REG_WEIGHTS", count: 4, in: Limit.weights)
        candidates = try reader.integer("\(key).PRE_NMS_TOPK_TEST", in: Limit.candidates)
        count = try reader.integer("\(key).POST_NMS_TOPK_TEST", in: 1...100_000)
        iou = try reader.real("\(key).NMS_THRESH", in: Limit.share)
        minimumSize = try reader.real("MODEL.PROPOSAL_GENERATOR.MIN_SIZE", in: 0...1e5)
        guard (1...8).contains(levels.count) else { throw reader.bad("\(key).IN_FEATURES", "1 to 8 names of maps") }
        guard case .list(let dimensions) = reader.values["\(key).CONV_DIMS"] ?? .none,
            (1...8).contains(dimensions.count)
        else { throw reader.bad("\(key).CONV_DIMS", "1 to 8 numbers of channels") }
        var channels: [Int] = []
        for dimension in dimensions {
            guard case .integer(let number) = dimension, number == -1 || Limit.channels.contains(number) else {
                throw reader.bad("\(key).CONV_DIMS", "numbers of channels, or -1")
            }
            channels.append(number)
        }
        hiddenChannels = channels
    }
}

extension Detectron2Configuration.Regions {
    fileprivate init(_ reader: ConfigurationReader) throws(Detectron2Error) {
        let key = "MODEL.ROI_HEADS"
        let box = "MODEL.ROI_BOX_HEAD"
        usesRes5 =
            try reader.choice(
                "\(key).NAME",
                of: ["StandardROIHeads", "Res5ROIHeads"],
                reason: "which is neither StandardROIHeads nor Res5ROIHeads"
            ) == "Res5ROIHeads"
        levels = try reader.texts("\(key).IN_FEATURES")
        guard (1...8).contains(levels.count), !usesRes5 || levels == ["res4"] else {
            throw reader.bad("\(key).IN_FEATURES", usesRes5 ? "[res4]" : "1 to 8 names of maps")
        }
        classCount = try reader.integer("\(key).NUM_CLASSES", in: Limit.classes)
        boxWeights = try reader.reals("\(box).BBOX_REG_WEIGHTS", count: 4, in: Limit.weights)
        isClassAgnostic = try reader.flag("\(box).CLS_AGNOSTIC_BBOX_REG")
        usesSigmoid = try reader.flag("\(box).USE_SIGMOID_CE")
        if !usesRes5 {
            _ = try reader.choice("\(box).NAME", of: ["FastRCNNConvFCHead"], reason: "which is not FastRCNNConvFCHead")
        }
        self.box = .init(
            pooling: try .init(reader, box),
            convolutions: try reader.integer("\(box).NUM_CONV", in: 0...64),
            convolutionChannels: try reader.integer("\(box).CONV_DIM", in: Limit.channels),
            normalisation: try .init(reader, "\(box).NORM"),
            layers: try reader.integer("\(box).NUM_FC", in: 0...64),
            layerChannels: try reader.integer("\(box).FC_DIM", in: Limit.channels)
        )
        mask = try reader.flag("MODEL.MASK_ON") ? try .init(reader, "MODEL.ROI_MASK_HEAD") : nil
    }
}

extension Detectron2Configuration.MaskHead {
    fileprivate init(_ reader: ConfigurationReader, _ key: String) throws(Detectron2Error) {
        let names = ["MaskRCNNConvUpsampleHead"]
        _ = try reader.choice("\(key).NAME", of: names, reason: "which is not MaskRCNNConvUpsampleHead")
        pooling = try .init(reader, key)
        convolutions = try reader.integer("\(key).NUM_CONV", in: 0...64)
        channels = try reader.integer("\(key).CONV_DIM", in: Limit.channels)
        normalisation = try .init(reader, "\(key).NORM")
        isClassAgnostic = try reader.flag("\(key).CLS_AGNOSTIC_MASK")
    }
}

extension Detectron2Configuration.Pooling {
    fileprivate init(_ reader: ConfigurationReader, _ key: String) throws(Detectron2Error) {
        isAligned =
            try reader.choice(
                "\(key).POOLER_TYPE",
                of: ["ROIAlignV2", "ROIAlign"],
                reason: "which is neither ROIAlignV2 nor ROIAlign"
            ) == "ROIAlignV2"
        resolution = try reader.integer("\(key).POOLER_RESOLUTION", in: 1...128)
        samplingRatio = try reader.integer("\(key).POOLER_SAMPLING_RATIO", in: 0...16)
    }
}
