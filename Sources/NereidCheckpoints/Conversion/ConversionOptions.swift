// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// How a checkpoint is converted.
public struct ConversionOptions: Sendable, Hashable {
    /// Where the graph ends. The default is ``GraphEnding/maps``.
    public var ending: GraphEnding
    /// Which head answers where the network has two. The default is ``HeadChoice/automatic``.
    public var head: HeadChoice
    /// The precision that weights are kept in. The default is ``WeightPrecision/float32``.
    public var precision: WeightPrecision
    /// Whether each layer's output is an output of the graph too, named `layer0`, `layer1`, … by its place in the network, to
    /// compare with the framework. The default is `false`.
    public var layerOutputs: Bool

    /// Options with their defaults.
    public init(
        ending: GraphEnding = .maps,
        head: HeadChoice = .automatic,
        precision: WeightPrecision = .float32,
        layerOutputs: Bool = false
    ) {
        self.ending = ending
        self.head = head
        self.precision = precision
        self.layerOutputs = layerOutputs
    }
}

/// Where a converted graph ends.
public enum GraphEnding: String, Sendable, Hashable, CaseIterable {
    /// At the head's last convolutions. Who reads them decodes only what passes the threshold, which is faster.
    case maps
    /// With decoded boxes and scores, laid out as the framework's own export does.
    case decoded
}

/// Which head of a network answers.
public enum HeadChoice: String, Sendable, Hashable, CaseIterable {
    /// The one that the framework's package uses: one-to-one for YOLOv10, one-to-many for all others.
    case automatic
    /// The head with several answers to each object, which needs non-maximum suppression.
    case oneToMany
    /// The head with one answer to each object, in YOLOv10 and YOLO26.
    case oneToOne
}

/// The precision that a graph's weights are kept in. Computation is in float32 in either case.
public enum WeightPrecision: String, Sendable, Hashable, CaseIterable {
    /// Four bytes to a weight.
    case float32
    /// Two bytes to a weight: half the file, with rounding of about 0.05 % in each weight.
    case float16
}
