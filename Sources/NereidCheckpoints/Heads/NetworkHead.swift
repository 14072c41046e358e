// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// The last layer of a network: writes the end of the graph and says how to read it.
protocol NetworkHead {
    /// Reads the head's settings and checks them against its weights.
    init(reading module: Module, model: Module, options: ConversionOptions) throws

    /// Writes the head into the graph, with the graph's outputs.
    func write(to network: inout NetworkTranslator, from maps: [FeatureMap], ending: GraphEnding) throws -> HeadReading
}

/// How a graph's outputs are to be read.
struct HeadReading {
    let task: NetworkTask
    let layout: GraphLayout
    let classCount: Int
    /// The pixels of the picture to each cell of each level; empty when the head has no levels.
    var strides: [Int] = []
    /// Whether several answers to an object have to be suppressed.
    var needsSuppression = true
    /// What else has to be known, as it stands in the graph's metadata.
    var metadata: [(key: String, value: String)] = []
    /// The names of the graph's outputs.
    var outputs: [String] = []
}

/// All heads by the name of their class; where both frameworks use a name, the modules that a head has tell them apart.
enum NetworkHeads {
    static func head(for module: Module) -> (any NetworkHead.Type)? {
        switch module.className {
        case "Detect" where module.hasChild("m"): AnchorHead.self
        case "Segment" where module.hasChild("m"): AnchorHead.self
        case "Detect", "v10Detect", "Segment", "Segment26", "Pose", "Pose26", "OBB", "OBB26": AnchorFreeHead.self
        case "Classify": ClassificationHead.self
        default: nil
        }
    }
}

/// Bounds of what a head may state, far from what any real head has.
enum HeadLimits {
    static let strides = 1...1024
    static let levels = 1...16
    static let anchors = 1...64
}

extension Module {
    /// The strides of a head's levels in pixels, from the head or else from the whole model.
    func strides(count: Int, model: Module) throws -> [Int] {
        let numbers = try optionalNumbers("stride") ?? model.numbers("stride")
        guard numbers.count == count else {
            throw inconsistent("it has \(numbers.count) strides for \(count) levels")
        }
        return try numbers.map { number in
            guard let stride = Int(exactly: number), HeadLimits.strides.contains(stride) else {
                throw inconsistent("a stride of \(number) makes no sense")
            }
            return stride
        }
    }

    /// A setting that has to agree with the weights, where it is stated.
    func confirm(_ name: String, is expected: Int) throws {
        let stated = try integer(name, default: expected)
        guard stated == expected else {
            throw inconsistent("its setting ‘\(name)’ is \(stated), its weights say \(expected)")
        }
    }
}

extension GraphBuilder.Dimension {
    /// The pictures that are looked at together.
    static let batch = Self.free("batch")
}

extension GraphBuilder {
    /// An output with so many pixels of the picture to each cell.
    mutating func output(_ map: FeatureMap, named name: String, stride: Int) {
        output(map, named: name, height: "height/\(stride)", width: "width/\(stride)")
    }

    mutating func output(_ map: FeatureMap, named name: String, height: String, width: String) {
        output(map.value, named: name, [.batch, .fixed(map.channels), .free(height), .free(width)])
    }

    /// The columns and rows of a map's cells plus an offset, in cells: two values of shape `[height · width]`.
    mutating func cells(of map: FeatureMap, offset: Float, at path: String) -> (x: GraphValue, y: GraphValue) {
        let shape = add("Shape", [map.value], at: path)
        let size = add("Gather", [shape, integers([2, 3])], [.integer("axis", 0)], at: path)
        let axes = [3, 2].map { axis in
            let count = add("Gather", [shape, integer(axis)], [.integer("axis", 0)], at: path)
            let numbers = add("Range", [integer(0), count, integer(1)], at: path)
            let reals = add("Cast", [numbers], [.integer("to", Onnx_TensorProto.DataType.float.rawValue)], at: path)
            return sum(reals, real(offset), at: path)
        }
        let columns = add("Expand", [axes[0], size], at: path)
        let rows = add("Expand", [unsqueeze(axes[1], axis: 1, at: path), size], at: path)
        return (reshape(columns, [-1], at: path), reshape(rows, [-1], at: path))
    }
}
