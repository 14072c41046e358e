// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

public import NereidImaging
import NereidInference

/// The one picture input of a graph: what shape of pixels it takes, and how large.
public struct ModelInput: Sendable, Hashable {
    /// The input's name in the graph.
    public let name: String
    /// The size that pictures are fitted into.
    public let size: PixelSize
    /// How pictures are fitted.
    public let fit: Letterbox.Fit
    /// Whether height and width are free, so that pictures may be fitted without padding to a square.
    public let isSizeFree: Bool
    /// The number of pictures in one run when the graph fixes it; `nil` when it is free.
    public let fixedBatch: Int?
    /// Sides must be multiples of this; the network's largest stride.
    public let stride: Int
    /// How pixels become numbers.
    public var encoding: PixelEncoding { preprocessing.encoding }
    let elementType: ElementType
    let preprocessing: Preprocessing
    let sizeRule: VisionModelConfiguration.SizeRule?
    /// The sizes that each picture is fitted into at once; empty for one alone.
    public let scales: [PixelSize]

    /// How a picture is fitted in at each of the scales, all in an input of one size.
    func letterboxesAtScales(for picture: PixelSize) -> [Letterbox] {
        let letterboxes = scales.map { letterbox(for: picture, target: $0) }
        let common = letterboxes.reduce(PixelSize(width: 1, height: 1)) { size, letterbox in
            PixelSize(
                width: max(size.width, letterbox.input.width),
                height: max(size.height, letterbox.input.height)
            )
        }
        return letterboxes.map { $0.padded(to: common) }
    }

    /// How a picture of this size is fitted in.
    public func letterbox(for picture: PixelSize) -> Letterbox {
        var target = size
        if let sizeRule, isSizeFree, picture.height > sizeRule.tallerThan {
            target = PixelSize(width: sizeRule.size, height: sizeRule.size)
        }
        return letterbox(for: picture, target: target)
    }

    private func letterbox(for picture: PixelSize, target: PixelSize) -> Letterbox {
        Letterbox(
            picture: picture,
            target: target,
            fit: fit,
            stride: stride,
            placement: preprocessing.placement,
            resampling: preprocessing.resampling,
            countsWholePadding: preprocessing.countsWholePadding
        )
    }

    /// The shape of a batch of pictures whose letterboxed size is `size`.
    func shape(batch: Int, size: PixelSize) -> [Int] {
        switch encoding.layout {
        case .planar: [batch, 3, size.height, size.width]
        case .interleaved: [batch, size.height, size.width, 3]
        }
    }
}

/// The input as the graph describes it, before the head is known that says how pixels are fed.
struct RawInput {
    let name: String
    let elementType: ElementType
    let layout: PixelEncoding.Layout
    let fixedBatch: Int?
    let fixedSize: PixelSize?
    /// What the file's metadata says of size and stride.
    let metadataSize: PixelSize?
    let stride: Int
    let metadata: [String: String]

    init(graph: GraphDescription, model: String) throws(VisionError) {
        let all = graph.inputs.map(\.description).joined(separator: ", ")
        func refused(_ reason: String) -> VisionError {
            .unsupportedInput(model: model, inputs: all, reason: reason)
        }
        guard let input = graph.inputs.first, graph.inputs.count == 1 else {
            throw refused("it has \(graph.inputs.count) inputs")
        }
        guard let elementType = input.elementType, [.float32, .float16, .uint8].contains(elementType) else {
            throw refused("its input holds \(input.elementTypeName)")
        }
        guard input.shape.count == 4 else { throw refused("its input has \(input.shape.count) dimensions, not 4") }
        let sizes = input.shape.map { dimension -> Int? in
            if case .fixed(let size) = dimension { size } else { nil }
        }
        if sizes[1] == 3 || (sizes[1] == nil && sizes[3] != 3) {
            layout = .planar
        } else if sizes[3] == 3 {
            layout = .interleaved
        } else {
            // Four dimensions of which none is 3: the smaller one of the two places is likely to be the channels.
            let channels = min(sizes[1] ?? .max, sizes[3] ?? .max)
            throw refused(
                channels <= 16
                    ? "its input has \(channels) \(channels == 1 ? "channel" : "channels"), and Nereid feeds 3: red, green and "
                        + "blue. Train it for 3 channels, or export it with a graph that makes its channels of RGB"
                    : "its input does not have 3 channels"
            )
        }
        let (height, width) = layout == .planar ? (sizes[2], sizes[3]) : (sizes[1], sizes[2])
        name = input.name
        self.elementType = elementType
        fixedBatch = sizes[0]
        fixedSize = if let height, let width { PixelSize(width: width, height: height) } else { nil }
        metadata = graph.metadata
        metadataSize = graph.metadata["imgsz"].flatMap(Self.size(metadata:))
        stride = graph.metadata["stride"].flatMap(Self.stride(metadata:)) ?? 32
    }

    /// The input as the model will use it.
    func completed(
        for kind: HeadKind,
        configuration: VisionModelConfiguration,
        model: String
    ) throws(VisionError) -> ModelInput {
        var preprocessing = Preprocessing(kind, metadata: metadata)
        if let resampling = configuration.resampling { preprocessing.resampling = resampling }
        var encoding = preprocessing.encoding
        encoding.layout = layout
        encoding.element =
            switch elementType {
            case .float16: .float16
            case .uint8: .uint8
            default: .float32
            }
        if elementType == .uint8 {
            // A graph that takes bytes scales them itself.
            (encoding.scale, encoding.mean, encoding.standardDeviation) = (1, .zero, .one)
        }
        if let channels = configuration.channels { encoding.channels = channels }
        if let scale = configuration.scale { encoding.scale = scale }
        if let mean = configuration.mean { encoding.mean = mean }
        if let deviation = configuration.standardDeviation { encoding.standardDeviation = deviation }
        preprocessing.encoding = encoding
        let usual = preprocessing.fit
        let fit: Letterbox.Fit = configuration.fit ?? (fixedSize == nil && usual == .square ? .rect : usual)
        if fixedSize != nil, fit == .rect, configuration.fit == .rect {
            throw .inputSize(
                model: model,
                asked: "any shape (letterbox: rect)",
                takes: "exactly \(try nominalSize(configuration, kind: kind, model: model)); use letterbox: square"
            )
        }
        if let rule = configuration.sizeRule {
            guard fixedSize == nil, rule.size % stride == 0 else {
                throw .inputSize(
                    model: model,
                    asked: "\(rule.size)×\(rule.size) (size_rule)",
                    takes: fixedSize.map { "exactly \($0)" } ?? "multiples of \(stride)"
                )
            }
        }
        if let scales = configuration.scales, fixedSize != nil || fit != .shortestEdge || scales.isEmpty {
            throw .inputSize(
                model: model,
                asked: "\(scales.map(\.description).joined(separator: ", ")) at once (scales)",
                takes: fixedSize.map { "exactly \($0)" } ?? "scales only with letterbox: shortest_edge"
            )
        }
        return ModelInput(
            name: name,
            size: try fit == .shortestEdge
                ? edges(configuration) : nominalSize(configuration, kind: kind, model: model),
            fit: fit,
            isSizeFree: fixedSize == nil,
            fixedBatch: fixedBatch,
            stride: stride,
            elementType: elementType,
            preprocessing: preprocessing,
            sizeRule: configuration.sizeRule,
            scales: configuration.scales ?? []
        )
    }

    /// The sides that Detectron2's way of fitting aims at, the longer one as the width: the settings', the metadata's, or
    /// those of Detectron2's default configuration.
    private func edges(_ configuration: VisionModelConfiguration) -> PixelSize {
        if let asked = configuration.inputSize ?? configuration.scales?.first {
            return PixelSize(width: max(asked.width, asked.height), height: min(asked.width, asked.height))
        }
        let edges = metadata[HeadEvidence.Key.edges].flatMap(PythonLiteral.init(parsing:))?.numbers ?? []
        let sides = edges.filter { $0 >= 1 && $0 <= 16_384 }.map { Int($0) }
        return sides.count == 2 ? PixelSize(width: sides[1], height: sides[0]) : PixelSize(width: 1333, height: 800)
    }

    /// The size that pictures are fitted into: the graph's own, else the settings', the metadata's, or 640 × 640; for whole
    /// pictures' classes 224 × 224, and not bound to the stride.
    ///
    /// - Parameter kind: the head, once it is known.
    func nominalSize(
        _ configuration: VisionModelConfiguration,
        kind: HeadKind? = nil,
        model: String
    ) throws(VisionError) -> PixelSize {
        if let fixedSize {
            if let asked = configuration.inputSize, asked != fixedSize {
                throw .inputSize(model: model, asked: asked.description, takes: "exactly \(fixedSize)")
            }
            return fixedSize
        }
        let classifies =
            (kind ?? configuration.head) == .classifier
            || (configuration.task ?? metadata["task"].flatMap(VisionTask.init)) == .classify
        let side = classifies ? 224 : 640
        let stride = classifies ? 1 : stride
        // Sides that Detectron2's way of fitting aims at say nothing of the input's own.
        let asked = metadata[HeadEvidence.Key.edges] == nil ? configuration.inputSize : nil
        let size = asked ?? metadataSize ?? PixelSize(width: side, height: side)
        guard size.width % stride == 0, size.height % stride == 0, size.width > 0, size.height > 0 else {
            throw .inputSize(model: model, asked: size.description, takes: "multiples of \(stride)")
        }
        return size
    }

    /// `[height, width]` or one number, as Ultralytics' exporters write it.
    private static func size(metadata text: String) -> PixelSize? {
        switch PythonLiteral(parsing: text) {
        case .integer(let side) where side > 0: PixelSize(width: side, height: side)
        case .list(let sides):
            if sides.count == 2, case .integer(let height) = sides[0], case .integer(let width) = sides[1],
                height > 0, width > 0
            {
                PixelSize(width: width, height: height)
            } else {
                nil
            }
        default: nil
        }
    }

    /// A number, or a list of which the largest counts.
    private static func stride(metadata text: String) -> Int? {
        let values: [PythonLiteral] =
            switch PythonLiteral(parsing: text) {
            case .list(let elements): elements
            case .some(let single): [single]
            case nil: []
            }
        return values.compactMap { literal -> Int? in
            switch literal {
            case .integer(let number): number
            case .real(let number) where number >= 1 && number <= 4096: Int(number)
            default: nil
            }
        }.filter { $0 > 0 }.max()
    }
}
