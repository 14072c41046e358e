// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging
import NereidInference

/// What a head is recognised by: what the file says of itself, and the outputs of the loading runs at a known input size.
struct HeadEvidence: Sendable {
    /// One output: its name, the shape that the first run gave it (−1: not known yet), and the kind of its numbers.
    struct Output: Sendable, CustomStringConvertible {
        let name: String
        let shape: [Int]
        var elementType: ElementType? = .float32

        var description: String { "\(name) \(shape)" }

        /// Whether it holds floating-point numbers.
        var isReal: Bool { elementType == .float32 || elementType == .float16 }
    }

    let outputs: [Output]
    /// The names of the graph's inputs.
    var inputNames: [String] = []
    /// The input's size in the loading runs.
    let input: PixelSize
    /// The number of pictures in each loading run.
    var batch = 1
    /// The number of classes that the file names.
    let fileLabelCount: Int?
    /// The number of classes that the settings name.
    var givenLabelCount: Int?
    /// What the model does, when its settings or its file say so.
    let task: VisionTask?
    /// What the file says of itself.
    let metadata: [String: String]
    /// The outputs of each loading run: the first of a black picture, the others of a textured one.
    var runs: [[Tensor]] = []
    /// Whether the settings name the head, so that it needs no other evidence than a shape that it can read.
    var isAsked = false

    init(
        outputs: [Output],
        input: PixelSize,
        labelCount: Int?,
        task: VisionTask? = nil,
        metadata: [String: String] = [:]
    ) {
        self.outputs = outputs
        self.input = input
        self.fileLabelCount = labelCount
        self.task = task
        self.metadata = metadata
    }

    /// The number of classes, when labels are known. Settings overrule the file, except in a graph that Nereid made.
    var labelCount: Int? { layout == nil ? givenLabelCount ?? fileLabelCount : fileLabelCount }

    /// The first output, if it has three dimensions.
    func firstOutput() throws(HeadMisfit) -> [Int] {
        guard let shape = outputs.first?.shape, shape.count == 3 else {
            throw HeadMisfit(reason: "the first output does not have three dimensions")
        }
        // Maps may follow: prototypes of masks, or the raw maps that an exporter left in.
        if !isAsked, let other = outputs.dropFirst().first(where: { $0.shape.count < 4 }) {
            throw HeadMisfit(reason: "there is a further output \(other)")
        }
        return shape
    }

    /// What follows the class scores of each row in an exporter's own layout: as many mask coefficients as a second output
    /// `[N, M, h, w]` has prototypes, or what the task needs.
    ///
    /// - Parameter rule: how this framework makes masks.
    /// - Throws: ``HeadMisfit`` when the task is `pose` and the metadata does not say of how many points.
    func extra(masksBy rule: MaskRule) throws(HeadMisfit) -> Extra? {
        if outputs.count > 1, outputs[1].shape.count == 4 {
            return .masks(coefficients: outputs[1].shape[1], prototypes: 1, rule: rule)
        }
        return switch task {
        case .pose: try keypoints()
        case .obb: .angle
        default: nil
        }
    }

    /// The keypoints that the metadata's `kpt_shape` speaks of: a list of their number and of the values of each.
    func keypoints() throws(HeadMisfit) -> Extra {
        guard let shape = integers("kpt_shape"), shape.count == 2, (1...10_000).contains(shape[0]),
            (2...3).contains(shape[1])
        else { throw HeadMisfit(reason: "the metadata's kpt_shape does not say how many keypoints there are") }
        return .keypoints(count: shape[0], values: shape[1])
    }

    /// The classes that a row of `attributes` values has room for after `fixed` others, if the labels agree.
    func classes(attributes: Int, after fixed: Int, extra: Extra?) throws(HeadMisfit) -> Int {
        let room = attributes - fixed - (extra?.valueCount ?? 0)
        guard room >= 1 else { throw HeadMisfit(reason: "\(attributes) values leave no room for classes") }
        if let labelCount, labelCount != room {
            throw HeadMisfit(reason: "\(attributes) values mean \(room) classes, but there are \(labelCount) labels")
        }
        return room
    }

    /// A whole number or a list of them in the metadata.
    func integers(_ key: String) -> [Int]? {
        func number(_ literal: PythonLiteral) -> Int? {
            if case .integer(let number) = literal { number } else { nil }
        }
        switch metadata[key].flatMap(PythonLiteral.init(parsing:)) {
        case .integer(let number): return [number]
        case .list(let elements):
            let numbers = elements.compactMap(number)
            return numbers.count == elements.count ? numbers : nil
        default: return nil
        }
    }

    /// Grid cells over the input at these strides.
    func cells(strides: [Int]) -> Int {
        strides.reduce(0) { $0 + (input.width / $1) * (input.height / $1) }
    }

    /// The strides that detectors put their grids at: P3-P5, P3-P6, P2-P5, and the two of the tiny ones.
    static let strideSets = [[8, 16, 32], [8, 16, 32, 64], [4, 8, 16, 32], [16, 32]]

    /// The strides at which `count` rows are `perCell` anchors on each cell; `nil` if none.
    func strides(rows count: Int, anchorsPerCell perCell: Int) -> [Int]? {
        Self.strideSets.first { cells(strides: $0) * perCell == count }
    }

    /// Whether `count` rows are one or three for each cell of three or more strides. The numbers of boxes that networks
    /// choose themselves (100, 300, 1000) are never such a count.
    func isDense(rows count: Int) -> Bool {
        Self.strideSets.contains { strides in
            strides.count >= 3 && (cells(strides: strides) == count || cells(strides: strides) * 3 == count)
        }
    }

    /// The middle of the cell that a row belongs to, as a fraction of the input; `nil` beyond the last cell.
    func cellCentre(row: Int, strides: [Int]) -> SIMD2<Float>? {
        var first = 0
        for stride in strides {
            let columns = input.width / stride
            let count = columns * (input.height / stride)
            if row < first + count {
                let cell = row - first
                return SIMD2(
                    (Float(cell % columns) + 0.5) * Float(stride) / Float(input.width),
                    (Float(cell / columns) + 0.5) * Float(stride) / Float(input.height)
                )
            }
            first += count
        }
        return nil
    }
}
