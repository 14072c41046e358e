// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import NereidImaging

/// What a head is recognised by: the outputs of a run at a known input size, and what the file says of itself.
struct HeadEvidence: Sendable {
    /// One output: its name and the shape that a run gave it.
    struct Output: Sendable, CustomStringConvertible {
        let name: String
        let shape: [Int]

        var description: String { "\(name) \(shape)" }
    }

    let outputs: [Output]
    /// The input's size in that run.
    let input: PixelSize
    /// The number of classes, when labels are known.
    let labelCount: Int?
    /// What the model does, when its settings or its file say so.
    let task: VisionTask?
    /// What the file says of itself.
    let metadata: [String: String]

    init(
        outputs: [Output],
        input: PixelSize,
        labelCount: Int?,
        task: VisionTask? = nil,
        metadata: [String: String] = [:]
    ) {
        self.outputs = outputs
        self.input = input
        self.labelCount = labelCount
        self.task = task
        self.metadata = metadata
    }

    /// The first output, if it has three dimensions.
    func firstOutput() throws(HeadMisfit) -> [Int] {
        guard let shape = outputs.first?.shape, shape.count == 3 else {
            throw HeadMisfit(reason: "the first output does not have three dimensions")
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
}
