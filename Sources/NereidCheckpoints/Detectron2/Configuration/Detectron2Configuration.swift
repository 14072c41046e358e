// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// What a Detectron2 configuration says of a trained network: its parts, how pictures are fed to it, and the thresholds of
/// its answers.
///
/// Read from the yaml that lies beside the weights, with the files that it builds upon, over Detectron2's defaults. Values
/// that only training needs are not looked at.
public struct Detectron2Configuration: Sendable, Hashable {
    /// The file, as it was named.
    public let file: String
    /// Which kind of network it is.
    public let architecture: Architecture
    /// How pictures are fed to the network.
    public let input: Input
    /// The thresholds of its answers.
    public let thresholds: Thresholds
    /// What was read otherwise than it may have been meant.
    public let warnings: [String]

    /// All of its values as text, the defaults included.
    let identity: String
    let backbone: Backbone
    let pyramid: Pyramid?
    let anchors: Anchors
    let proposals: Proposals?
    let regions: Regions?
    let retinaNet: RetinaNet?
    /// The data sets that it was trained with and tested on, whose class names may be known.
    let datasets: [String]

    /// The kinds of networks that are read; the raw value is Detectron2's word for it.
    public enum Architecture: String, Sendable, Hashable, CaseIterable {
        /// One stage: boxes straight from the pyramid's maps.
        case retinaNet = "RetinaNet"
        /// Two stages: proposals, then boxes of classes and perhaps masks; Faster R-CNN and Mask R-CNN.
        case rcnn = "GeneralizedRCNN"
    }

    /// How pictures are fed to the network.
    public struct Input: Sendable, Hashable {
        /// Whether blue comes first; red otherwise.
        public let isBGR: Bool
        /// What the shorter side becomes, in pixels.
        public let shortestEdge: Int
        /// What the longer side becomes at most, in pixels.
        public let longestEdge: Int
        /// Subtracted from pixels of 0…255, one number for each channel in the order fed.
        public let mean: [Double]
        /// Divided by after the mean.
        public let standardDeviation: [Double]
    }

    /// The thresholds of a network's answers.
    public struct Thresholds: Sendable, Hashable {
        /// Scores must be greater, 0…1.
        public let confidence: Double
        /// Two boxes of a class that overlap by more than this intersection over union are one object, 0…1.
        public let iou: Double
        /// The most objects in a picture.
        public let maxDetections: Int
    }

    /// A ResNet or ResNeXt.
    struct Backbone: Sendable, Hashable {
        let depth: Int
        let groups: Int
        let widthPerGroup: Int
        let stemChannels: Int
        let res2Channels: Int
        /// Whether the first convolution of a block has the stride, and not the second one.
        let hasStrideIn1x1: Bool
        let res5Dilation: Int
        let normalisation: Normalisation
        /// `res2` … `res5`.
        let outputs: [String]
    }

    /// A feature pyramid.
    struct Pyramid: Sendable, Hashable {
        let inputs: [String]
        let channels: Int
        let normalisation: Normalisation
        /// Whether what comes from above and from the side is averaged, and not summed.
        let averages: Bool
        /// Whether two more levels are convolutions of the last map of the backbone (`p6`, `p7`), and not one a map with
        /// every second pixel (`p6`).
        let hasConvolutionsOnTop: Bool
    }

    /// The boxes that are adjusted, by level.
    struct Anchors: Sendable, Hashable {
        /// The square root of the area in pixels.
        let sizes: [[Double]]
        /// Height to width.
        let aspectRatios: [[Double]]
        /// Of the first anchor's centre, in strides.
        let offset: Double
    }

    /// A region proposal network.
    struct Proposals: Sendable, Hashable {
        let levels: [String]
        let boxWeights: [Double]
        let candidates: Int
        let count: Int
        let iou: Double
        let minimumSize: Double
        /// Channels of the hidden convolutions; -1 for as many as go in.
        let hiddenChannels: [Int]
    }

    /// What is made of proposals.
    struct Regions: Sendable, Hashable {
        let levels: [String]
        /// Whether the backbone's last stage is the head, as in C4 networks.
        let usesRes5: Bool
        let classCount: Int
        let boxWeights: [Double]
        let isClassAgnostic: Bool
        let usesSigmoid: Bool
        let box: BoxHead
        let mask: MaskHead?
    }

    /// How features are cut out of maps.
    struct Pooling: Sendable, Hashable {
        let resolution: Int
        /// Samples along each side of a cell; 0: as many as pixels of the map.
        let samplingRatio: Int
        /// Whether boxes are taken half a pixel to the left, as `ROIAlignV2` does.
        let isAligned: Bool
    }

    struct BoxHead: Sendable, Hashable {
        let pooling: Pooling
        let convolutions: Int
        let convolutionChannels: Int
        let normalisation: Normalisation
        let layers: Int
        let layerChannels: Int
    }

    struct MaskHead: Sendable, Hashable {
        let pooling: Pooling
        let convolutions: Int
        let channels: Int
        let normalisation: Normalisation
        let isClassAgnostic: Bool
    }

    struct RetinaNet: Sendable, Hashable {
        let classCount: Int
        let levels: [String]
        let convolutions: Int
        let normalisation: Normalisation
        let candidates: Int
        let boxWeights: [Double]
    }

    /// What follows a convolution.
    enum Normalisation: Sendable, Hashable {
        case none
        /// A factor and a shift for each channel, frozen or learned in batches.
        case batch
        /// Over groups of channels of the picture itself.
        case group
    }
}
